//! `wash ctl …`: the same commands under the name they had in 2021.

use super::{apply, call, config, get, host, link, scale, start, stop};
use crate::{failure::Outcome, output::Output};

/// What to do; each is also a command of its own.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it in the whole process")]
enum What {
    /// Show hosts, inventories, claims or links; as `wash get`.
    Get(get::Args),
    /// Start an actor or a provider; as `wash start`.
    Start(start::Args),
    /// Stop an actor, a provider or a host; as `wash stop`.
    Stop(stop::Args),
    /// Forget hosts that will not come back; as `wash host`.
    Host(host::Args),
    /// Change how much an actor serves at once; as `wash scale`.
    Scale(scale::Args),
    /// Call a function of an actor by hand; as `wash call`.
    Call(call::Args),
    /// Put, delete and show links; as `wash link`.
    Link(link::Args),
    /// Put, get and delete configurations; as `wash config`.
    Config(config::Args),
    /// Make a lattice run what a manifest says; as `wash apply`.
    Apply(apply::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.what {
        What::Get(args) => get::run(args, out).await,
        What::Start(args) => start::run(args, out).await,
        What::Stop(args) => stop::run(args, out).await,
        What::Host(args) => host::run(args, out).await,
        What::Scale(args) => scale::run(args, out).await,
        What::Call(args) => call::run(args, out).await,
        What::Link(args) => link::run(args, out).await,
        What::Config(args) => config::run(args, out).await,
        What::Apply(args) => apply::run(args, out).await,
    }
}
