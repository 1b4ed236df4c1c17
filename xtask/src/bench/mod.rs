//! `cargo xtask bench`: the hot path against its limits, all in one run on one machine.
//!
//! The limit programs stand in `benches/` and use the engine settings of the host. Figures are printed as they were
//! measured; a gate that is missed is said, and fails the command, never a test.

mod calls;
mod hosts;
mod http;
mod permissions;
mod report;
mod servers;
mod starts;
mod turns;

use std::path::Path;

use anyhow::Context;
use clap::ValueEnum as _;
use serde_json::{Value, json};

use crate::{cargo, say, setup};
use report::Row;

/// Turns of each row; the median counts.
const ROUNDS: usize = 7;
const SECONDS: u64 = 3;
const CONNECTIONS: u32 = 32;

/// What is measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// HTTP to actors of the same host
    Http,
    /// Instances of actors, against the engine alone
    Instances,
    /// Calls from actor to actor in one host
    Between,
    /// What it costs that commands are signed
    Commands,
    /// Calls and HTTP from host to host
    Calls,
    /// What it costs that a lattice is closed
    Permissions,
    /// How long a quickstart takes
    Quickstart,
}

impl Part {
    /// What is measured for it; of a quickstart there are no rows.
    async fn measure(self, nats_server: &Path, first: bool) -> anyhow::Result<(Vec<Row>, Value)> {
        match self {
            Part::Http => http::measure(nats_server).await,
            Part::Instances => servers::instances().await,
            Part::Between => servers::between().await,
            Part::Commands => servers::commands().await,
            Part::Calls => calls::measure(nats_server).await,
            Part::Permissions => permissions::measure(nats_server).await,
            Part::Quickstart => {
                tokio::task::block_in_place(|| starts::measure(first)).map(|raw| (Vec::new(), raw))
            }
        }
    }
}

/// True when every gate is met. `only` are the parts; none means all.
pub(crate) fn run(json_file: Option<&Path>, first: bool, only: &[Part]) -> anyhow::Result<bool> {
    let nats_server = setup::nats_server(None)?;
    setup::wasm_targets()?;
    build()?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the threads of the bench")?;
    let (mut rows, mut raw) = (Vec::new(), serde_json::Map::new());
    for part in Part::value_variants().iter().filter(|part| only.is_empty() || only.contains(part)) {
        let (measured, figures) = runtime.block_on(part.measure(&nats_server, first))?;
        // At once, so that what comes later cannot lose them.
        report::table(&measured);
        rows.extend(measured);
        let name = part.to_possible_value().map(|value| value.get_name().to_owned());
        raw.insert(name.unwrap_or_default(), figures);
    }
    let (machine, raw) = (report::machine(), Value::Object(raw));
    report::print(&machine, &rows, &raw);
    if let Some(file) = json_file {
        let shown: Vec<Value> = rows.iter().map(Row::json).collect();
        let all = json!({ "machine": machine, "rows": shown, "raw": raw });
        let text = serde_json::to_string_pretty(&all).context("the figures cannot be written")?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(rows.iter().all(Row::meets_gate))
}

/// Builds what is measured.
fn build() -> anyhow::Result<()> {
    say::line(
        "building in release mode, each program optimised as a whole; the first time this takes half an hour and more",
    );
    // wash is not measured, but without it the engine would be built with other features than for packages.
    let packages = ["lattice-host", "lattice-wash", "lattice-bench"];
    let packages = packages.into_iter().flat_map(|package| ["--package", package]);
    let build: Vec<&str> = ["build", "--release", "--bins"].into_iter().chain(packages).collect();
    cargo::run(cargo::workspace(&build))?;
    let actors =
        ["hello", "calculator", "misbehave", "translator"].into_iter().flat_map(|actor| ["--package", actor]);
    let actors: Vec<&str> = ["build", "--release"].into_iter().chain(actors).collect();
    cargo::run(cargo::actors(&actors))
}
