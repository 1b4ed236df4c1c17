//! Load and limit programs in one file: `lattice-bench PROGRAM ARGUMENTS…`. `cargo xtask bench` runs them; `docs/performance.md` has
//! the figures.
//!
//! One file, since each is optimised as a whole with the engine in it, which takes minutes.

mod bare;
mod bare_function;
mod latencies;
mod lattice_caller;
mod links;
mod programs;
mod workers;

use std::process::ExitCode;

use bare::{Bare, Instance};
use bare_function::BareFunction;
use latencies::{Latencies, Summary, Turns};
use lattice_caller::LatticeCaller;
use links::Links;
use programs::PROGRAMS;
use workers::at_once;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let found = args.split_first().and_then(|(name, args)| {
        let program = PROGRAMS.iter().find(|program| program.name == name)?;
        Some((program, args))
    });
    let Some((program, args)) = found else {
        eprintln!("error: one of these is needed");
        PROGRAMS.iter().for_each(|program| eprintln!("  {}", program.usage()));
        return ExitCode::FAILURE;
    };
    match program.run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}\nusage: {}", program.usage());
            ExitCode::FAILURE
        }
    }
}
