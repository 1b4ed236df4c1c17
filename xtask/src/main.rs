//! The project's own commands: `cargo xtask quickstart` shows it working, `cargo xtask test` shows that it does.

mod attack;
mod bench;
mod cargo;
mod docs;
mod quickstart;
mod say;
mod setup;
mod suite;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Set up, try and test the lattice")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build what is needed, start a lattice on this machine with three example actors, and show how to call them
    Quickstart {
        /// Use this nats-server (2.11 or newer) instead of the one on PATH or a fetched one
        #[arg(long, value_name = "FILE")]
        nats_server: Option<PathBuf>,
        /// Compare what the actors answer, stop everything, and exit with 0 or 1
        #[arg(long)]
        check: bool,
    },
    /// Run everything that shows that the project works, as continuous integration does
    Test {
        /// Leave a step out, and say so at the end; repeatable
        #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(suite::names()))]
        without: Vec<String>,
        /// Also run the tests that take minutes, and fuzz every decoder
        #[arg(long)]
        long: bool,
        /// Also ask for each link of the documents that leads elsewhere, with curl; needs the internet
        #[arg(long)]
        external_links: bool,
        /// How many seconds each fuzz target runs
        #[arg(long, value_name = "N", default_value_t = 60, requires = "long",
              value_parser = clap::value_parser!(u64).range(1..=86_400))]
        fuzz_seconds: u64,
    },
    /// Measure the hot path against its limits, all in one run; exits with 1 where a gate is missed
    Bench {
        /// Write every figure into this file, too
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Also time a first quickstart, in an empty build folder: takes minutes
        #[arg(long)]
        first: bool,
        /// Measure this part alone; repeatable
        #[arg(long, value_name = "PART")]
        only: Vec<bench::Part>,
    },
    /// Attack a lattice on this machine from every side, and print what became of each attempt; exits with 1 where one ended otherwise
    /// than documented
    Attack {
        #[command(flatten)]
        args: attack::Args,
        /// Use this nats-server (2.11 or newer) instead of the one on PATH or a fetched one
        #[arg(long, value_name = "FILE")]
        nats_server: Option<PathBuf>,
    },
    /// Fetch what quickstart and test need, without building anything
    Setup {
        /// Use this nats-server (2.11 or newer) instead of the one on PATH or a fetched one
        #[arg(long, value_name = "FILE")]
        nats_server: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Quickstart { nats_server, check } => quickstart::run(nats_server.as_deref(), check),
        Command::Test { without, long, external_links, fuzz_seconds } => {
            suite::run(&without, long.then_some(Duration::from_secs(fuzz_seconds)), external_links)
        }
        Command::Bench { json, first, only } => bench::run(json.as_deref(), first, &only),
        Command::Attack { args, nats_server } => attack::run(&args, nats_server.as_deref()),
        Command::Setup { nats_server } => setup::everything(nats_server.as_deref()).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
