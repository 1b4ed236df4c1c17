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

use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use crate::{cargo, say, setup};
use report::Row;

/// Turns of each row; the median counts.
const ROUNDS: usize = 3;
const SECONDS: u64 = 5;
const CONNECTIONS: u32 = 32;

/// True when every gate is met.
pub(crate) fn run(json_file: Option<&Path>, first: bool) -> anyhow::Result<bool> {
    let nats_server = setup::nats_server(None)?;
    setup::wasm_targets()?;
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
    cargo::run(cargo::actors(&actors))?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the threads of the bench")?;
    let (rows, raw) = runtime.block_on(async {
        let mut rows = Vec::new();
        let mut shown = |part: Vec<Row>| {
            report::table(&part);
            rows.extend(part);
        };
        let (part, http) = http::measure(&nats_server).await?;
        shown(part);
        let (part, alone) = servers::instances().await?;
        shown(part);
        let (part, actors) = servers::between().await?;
        shown(part);
        let (part, commands) = servers::commands().await?;
        shown(part);
        let (part, raw_calls) = calls::measure(&nats_server).await?;
        shown(part);
        let (part, permissions) = permissions::measure(&nats_server).await?;
        shown(part);
        let raw = json!({
            "http": http, "instances": alone, "between": actors, "commands": commands, "calls": raw_calls,
            "permissions": permissions,
        });
        anyhow::Ok((rows, raw))
    })?;
    let starts = starts::measure(first)?;
    let machine = report::machine();
    report::print(&machine, &rows, &raw, &starts);
    if let Some(file) = json_file {
        let shown: Vec<Value> = rows.iter().map(Row::json).collect();
        let all = json!({ "machine": machine, "rows": shown, "raw": raw, "quickstart": starts });
        let text = serde_json::to_string_pretty(&all).context("the figures cannot be written")?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(rows.iter().all(Row::meets_gate))
}
