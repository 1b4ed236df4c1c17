//! `wash completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{cli::Cli, failure::Outcome, output::Output};

/// Which shell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example, for bash:\n  wash completions bash > ~/.local/share/bash-completion/completions/wash"
)]
pub(crate) struct Args {
    /// The shell to write for.
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wash", &mut script);
    // Raw even with `-o json`: it is a file for the shell.
    out.raw(&script)
}
