//! What an attacker tries, one numbered attempt after the other, against a lattice of real processes: `cargo xtask attack`.
//!
//! The lattice is made by `wash up`, as everybody's is, once closed and once with `--open`. An attempt counts as refused only if
//! the refusal was seen *and* nothing came of it, looked at by somebody who may see everything; and, where that can be done, the same
//! action works for somebody who may do it, so that a misspelt subject cannot pass for a refusal.

mod attempt;
mod attempts;
mod list;
mod report;
mod scene;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Parser;

use attempt::{Attempt, Line};
use scene::Scene;

/// Attack a lattice on this machine, and print what became of each attempt. Exits with 1 where one ended otherwise than documented.
#[derive(Debug, Parser)]
#[command(name = "lattice-attack")]
struct Cli {
    /// Attack a lattice that asks nobody for credentials
    #[arg(long)]
    open: bool,
    /// Only the attempt of this number; may be repeated
    #[arg(long, value_name = "N")]
    only: Vec<u16>,
    /// How to print: text, or json
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    output: String,
    /// Use this nats-server (2.11 or newer) instead of the one on PATH or a fetched one
    #[arg(long, value_name = "FILE")]
    nats_server: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// True when every attempt ended as documented.
fn run(cli: &Cli) -> anyhow::Result<bool> {
    let chosen: Vec<&Attempt> =
        list::ATTEMPTS.iter().filter(|one| cli.only.is_empty() || cli.only.contains(&one.number)).collect();
    anyhow::ensure!(
        !chosen.is_empty(),
        "there is no attempt of that number; there are 1 to {}",
        list::ATTEMPTS.len()
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.context("cannot start the threads of the attack")?.block_on(async {
        let mut scene = Scene::set(cli.open, cli.nats_server.as_deref()).await?;
        let mut lines = Vec::new();
        for attempt in chosen {
            scene.begin();
            let line = Line { attempt, outcome: (attempt.run)(&mut scene).await };
            if cli.output == "text" {
                report::line(&line, cli.open);
            }
            lines.push(line);
        }
        scene.close().await?;
        match cli.output.as_str() {
            "json" => report::json(&lines, cli.open),
            _ => report::sum(&lines, cli.open),
        }
        Ok(lines.iter().all(|line| line.is_as_documented(cli.open)))
    })
}
