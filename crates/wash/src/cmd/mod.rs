//! The commands: one file or folder each, named as it is typed.
//!
//! A command's module has `Args` (what clap reads) and `async fn run(args: Args, out: &Output) -> Outcome`. A group, as
//! `keys`, has one file per verb and an `Args` whose subcommand chooses. To add a command, write its module and add one line
//! to `commands!`; its doc comment there is what `wash --help` shows.

mod apply;
mod call;
mod claims;
mod completions;
mod config;
mod ctl;
mod ctx;
mod down;
mod drain;
mod get;
mod host;
mod inspect;
mod keys;
mod link;
mod nats;
mod par;
mod reg;
mod role;
mod scale;
mod secret;
mod start;
mod stop;
mod trust;
mod up;

use crate::{failure::Outcome, output::Output};

macro_rules! commands {
    ($($(#[$attribute:meta])* $variant:ident => $($module:ident)::+,)*) => {
        #[derive(Debug, clap::Subcommand)]
        #[allow(clippy::large_enum_variant, reason = "there is one of it in the whole process")]
        pub(crate) enum Cmd {
            $($(#[$attribute])* $variant($($module)::+::Args),)*
        }

        impl Cmd {
            /// Does what was asked.
            pub(crate) async fn run(self, out: &Output) -> Outcome {
                match self {
                    // Boxed, so that the largest command does not size the future of every other.
                    $(Cmd::$variant(args) => Box::pin($($module)::+::run(args, out)).await,)*
                }
            }
        }
    };
}

commands! {
    /// Make and show the keys that sign.
    Keys => keys,
    /// Sign actors, and read what signatures say.
    Claims => claims,
    /// Make and show archives of providers.
    Par => par,
    /// Push to and pull from registries.
    Reg => reg,
    /// The same as reg push.
    #[command(hide = true)]
    Push => reg::push,
    /// The same as reg pull.
    #[command(hide = true)]
    Pull => reg::pull,
    /// Show what a file or image is: claims, issuer, interfaces, size, digest.
    Inspect => inspect,
    /// Empty the caches of this machine.
    Drain => drain,
    /// Start a lattice on this machine: a NATS server, where none runs, and a host.
    Up => up,
    /// Stop what `wash up` started on this machine.
    Down => down,
    /// Make a lattice run what a manifest says.
    Apply => apply,
    /// Show hosts, what runs on them, claims and links.
    Get => get,
    /// Start an actor or a provider.
    Start => start,
    /// Stop an actor, a provider or a host.
    Stop => stop,
    /// Forget hosts that will not come back.
    Host => host,
    /// Change how much an actor serves at once.
    Scale => scale,
    /// Call a function of an actor by hand.
    Call => call,
    /// Say who may call whom.
    Link => link,
    /// Keep named configurations in the lattice.
    Config => config,
    /// Keep secrets in the lattice, sealed to its hosts.
    #[command(alias = "secrets")]
    Secret => secret,
    /// Say whose signatures count.
    Trust => trust,
    /// Say who may command what.
    Role => role,
    /// Say which lattice is meant where nothing else does.
    Ctx => ctx,
    /// Make a NATS server of your own that takes nobody without credentials, and its users.
    Nats => nats,
    /// The commands that talk to a lattice, under the name they had in 2021.
    Ctl => ctl,
    /// Print completions for a shell.
    Completions => completions,
}
