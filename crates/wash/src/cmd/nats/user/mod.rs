//! `wash nats user`.

mod add;
mod list;
mod revoke;

use lattice_core::{
    EntityId, HostId, ProviderId,
    permission::{Principal, Role},
};

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    output::Output,
};

/// What to do with users.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a user of a role.
    Add(add::Args),
    /// Show all users.
    List(list::Args),
    /// Take a user's rights away.
    Revoke(revoke::Args),
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    match args.verb {
        Verb::Add(args) => add::run(args, out),
        Verb::List(args) => list::run(&args, out),
        Verb::Revoke(args) => revoke::run(args, out).await,
    }
}

/// Somebody of a role.
pub(super) fn principal(role: Role, name: &EntityId, host: Option<HostId>) -> Outcome<Principal> {
    if host.is_some() && role != Role::Host {
        return Err(Failure::say(Exit::Usage, format!("--host-id is for hosts, and this is a {role}"))
            .help("leave it out, or choose --role host"));
    }
    // What runs or calls in its own name would otherwise get a host's or an operator's rights by it.
    if matches!(role, Role::Provider | Role::Tool) {
        ProviderId::new(name.as_str()).map_err(|error| Failure::say(Exit::Usage, error.to_string()))?;
    }
    Ok(match role {
        Role::Host => Principal::Host(host),
        Role::Operator => Principal::Operator(name.clone()),
        Role::Viewer => Principal::Viewer(name.clone()),
        Role::Provider => Principal::Provider(name.clone()),
        Role::Tool => Principal::Tool(name.clone()),
        Role::Site => Principal::Site(name.clone()),
    })
}
