//! `cargo xtask attack`: builds what is needed, and attacks a lattice of this machine from every side.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use lattice_testkit::binary;

use crate::{cargo, say, setup};

/// The actors that are attacked, or attack.
const ACTORS: [&str; 7] = ["hello", "echo", "calculator", "probe", "kvcounter", "keyring", "misbehave"];

/// Which attempts, and how they are told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Attack a lattice that asks nobody for credentials: what succeeds there
    #[arg(long)]
    open: bool,
    /// Only the attempt of this number; may be repeated
    #[arg(long, value_name = "N")]
    only: Vec<u16>,
    /// How to print: text, or json
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    output: String,
}

/// True when every attempt ended as documented.
pub(crate) fn run(args: &Args, nats_server: Option<&Path>) -> anyhow::Result<bool> {
    // For programs there is nothing on standard output but what they read.
    let is_text = args.output == "text";
    let nats_server = match is_text {
        true => prepare(nats_server)?,
        false => lattice_testkit::Tools::of_workspace().nats_server(nats_server, &mut |_| {})?,
    };
    let build = [
        "build",
        "--package",
        "lattice-host",
        "--package",
        "lattice-wash",
        "--package",
        "lattice-provider-keyvalue-memory",
        "--package",
        "lattice-attack",
        "--bins",
    ];
    cargo::run(cargo::workspace(&build))?;
    let packages = ACTORS.iter().flat_map(|actor| ["--package", actor]);
    cargo::run(cargo::actors(&["build", "--release"].into_iter().chain(packages).collect::<Vec<_>>()))?;
    let mut attack = Command::new(binary("lattice-attack")?);
    attack.arg("--nats-server").arg(nats_server).args(["--output", &args.output]);
    attack.args(args.open.then_some("--open"));
    for number in &args.only {
        attack.args(["--only", &number.to_string()]);
    }
    let status = attack.status().context("cannot start lattice-attack")?;
    Ok(status.success())
}

fn prepare(nats_server: Option<&Path>) -> anyhow::Result<std::path::PathBuf> {
    setup::wasm_targets()?;
    let nats_server = setup::nats_server(nats_server)?;
    setup::registry()?;
    say::line("- building host, wash, the attack and the actors …");
    Ok(nats_server)
}
