//! From a clone to a lattice with three actors that answer.

mod actors;
mod answers;
mod contexts;
mod estimate;
mod hold;
mod lattice;

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use lattice_testkit::workspace_root;

use crate::{cargo, say, setup};

/// Sets up, builds, signs, starts; then waits for Ctrl-C, or compares answers when `check` is set. True when all is well.
pub(crate) fn run(nats_server: Option<&Path>, check: bool) -> anyhow::Result<bool> {
    let started = Instant::now();
    // Before anything is built or signed: the one that runs uses it.
    let held = (!check).then(|| hold::Hold::take(&lattice::folder())).transpose()?;
    say::line(&estimate::announcement());
    setup::wasm_targets()?;
    let nats_server = setup::nats_server(nats_server)?;
    say::step("building the host and wash", build_binaries, |()| "built".to_owned())?;
    say::step("building the example actors", build_actors, |()| "built".to_owned())?;
    let account = say::step("the account key", actors::account_key, |key| {
        format!("{key}, seed in {}", shown(&actors::account_file()))
    })?;
    say::step("signing the example actors", actors::sign, Clone::clone)?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot make a runtime")?.block_on(async {
        let place = lattice::Place::choose(held)?;
        let mut stop = lattice::StopSignals::listen()?;
        let mut lattice = tokio::select! {
            lattice = lattice::start(&place, &nats_server, &account) => lattice?,
            () = stop.requested() => return Ok(false),
        };
        let outcome = tokio::select! {
            outcome = serve(&place, &mut lattice, check, started) => outcome,
            () = stop.requested() => Ok(!check),
        };
        lattice.stop(&place).await?;
        outcome
    })
}

async fn serve(
    place: &lattice::Place,
    lattice: &mut lattice::Lattice,
    check: bool,
    started: Instant,
) -> anyhow::Result<bool> {
    if check {
        return answers::compare(place).await;
    }
    answers::show(place, started.elapsed());
    lattice.until_ended().await.map(|()| true)
}

fn build_binaries() -> anyhow::Result<()> {
    cargo::run(cargo::workspace(&[
        "build",
        "--package",
        "lattice-host",
        "--package",
        "lattice-wash",
        "--bins",
    ]))
}

fn build_actors() -> anyhow::Result<()> {
    let packages = actors::ACTORS.iter().flat_map(|actor| ["--package", actor]);
    cargo::run(cargo::actors(&["build", "--release"].into_iter().chain(packages).collect::<Vec<_>>()))
}

/// A path as one types it in the workspace.
fn shown(path: &Path) -> String {
    path.strip_prefix(workspace_root()).unwrap_or(path).display().to_string()
}
