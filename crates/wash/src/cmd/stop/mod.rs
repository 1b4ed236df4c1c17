//! `wash stop …`: actors, providers, hosts.

mod actor;
mod host;
mod provider;
mod stopped;

use lattice_core::HostId;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    lattice::{Session, resolve_host},
    output::Output,
};

/// What to stop.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Stop an actor, wherever it runs.
    #[command(alias = "component")]
    Actor(actor::Args),
    /// Stop a provider, wherever it runs.
    Provider(provider::Args),
    /// Stop a host, in order.
    Host(host::Args),
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    match args.what {
        What::Actor(args) => actor::run(args, out).await,
        What::Provider(args) => provider::run(args, out).await,
        What::Host(args) => host::run(args, out).await,
    }
}

/// The id, and the host where it was named: `ID`, or `HOST ID` as it was written in 2021.
fn id_and_host(names: &[String], flag: Option<&String>) -> (String, Option<String>) {
    match names {
        [host, id, ..] => (id.clone(), Some(host.clone())),
        [id] => (id.clone(), flag.cloned()),
        [] => (String::new(), flag.cloned()),
    }
}

/// Those of `running` that are meant; nowhere is a refusal.
async fn where_it_runs(
    session: &Session,
    what: &str,
    running: Vec<HostId>,
    host: Option<&String>,
) -> Outcome<Vec<HostId>> {
    let Some(wanted) = host else {
        return if running.is_empty() { Err(runs_nowhere(what, "on any host")) } else { Ok(running) };
    };
    let host = resolve_host(session, wanted).await?;
    if running.contains(&host) { Ok(vec![host]) } else { Err(runs_nowhere(what, &format!("on host {host}"))) }
}

fn runs_nowhere(what: &str, place: &str) -> Failure {
    Failure::say(Exit::Refused, format!("{what} does not run {place}"))
        .help("`wash get inventory` shows what runs where")
}
