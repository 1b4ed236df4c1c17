//! The command line itself: parsing, the runtime, and how an end becomes an exit code.

use std::{
    ffi::OsString,
    io::{IsTerminal, Write},
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};
use miette::MietteHandlerOpts;
use serde_json::json;

use crate::{
    cmd::Cmd,
    exit::Exit,
    failure::Failure,
    output::{Format, Output},
};

/// The command line of the lattice: keys, claims, images, hosts, actors, providers, links.
#[derive(Debug, Parser)]
#[command(name = "wash", version, max_term_width = 110, infer_long_args = false)]
pub(crate) struct Cli {
    /// How to answer: text for people, json for programs
    #[arg(short = 'o', long, global = true, value_enum, default_value_t = Format::Text, env = "WASH_OUTPUT")]
    output: Format,
    #[command(subcommand)]
    cmd: Cmd,
}

/// Runs the command line `args` (the program's name first) to its end.
pub(crate) fn run(args: Vec<OsString>) -> ExitCode {
    set_up_reports();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return misread(&error, &args),
    };
    let output = Output::new(cli.output);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&output, Err(Failure::refused(error).context("cannot start the runtime"))),
    };
    let outcome = runtime.block_on(cli.cmd.run(&output));
    // A blocking read of a terminal or a name look-up must not keep a finished command from ending.
    runtime.shutdown_background();
    end(&output, outcome)
}

fn end(output: &Output, outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit().into()
        }
    }
}

/// Remedies hold commands to copy, so lines are never broken; colour and drawing only on a terminal.
fn set_up_reports() {
    let terminal = std::io::stderr().is_terminal();
    // It can only be set once, and this is the once.
    let _ = miette::set_hook(Box::new(move |_| {
        let options = MietteHandlerOpts::new().wrap_lines(false).unicode(terminal);
        let options = if terminal { options } else { options.color(false) };
        Box::new(options.build())
    }));
}

/// Help and versions go to standard output, errors to standard error, as JSON where `args` ask for that.
fn misread(error: &clap::Error, args: &[OsString]) -> ExitCode {
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked_for || !wants_json(args) {
        // Standard error is closed: there is nobody to tell.
        let _ = error.print();
    } else {
        let text = error.render().to_string();
        let (what, help) = text.split_once("\n\n").unwrap_or((&text, ""));
        let value = json!({
            "success": false,
            "error": what.trim().trim_start_matches("error: "),
            "help": help.trim(),
            "code": Exit::Usage.word(),
            "exit_code": Exit::Usage.number(),
        });
        let _ = writeln!(std::io::stderr(), "{value}");
    }
    if asked_for { Exit::Done.into() } else { Exit::Usage.into() }
}

/// Whether a command line that could not be parsed nevertheless asks for JSON.
fn wants_json(args: &[OsString]) -> bool {
    let args: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let given = args.windows(2).any(|pair| matches!(pair, ["-o" | "--output", "json"]));
    given || args.iter().any(|arg| matches!(*arg, "-ojson" | "-o=json" | "--output=json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn json_is_recognised_in_what_cannot_be_parsed() {
        let args = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (text, wanted) in [
            ("wash -o json nonsense", true),
            ("wash nonsense --output=json", true),
            ("wash nonsense -ojson", true),
            ("wash nonsense", false),
            ("wash nonsense -o text", false),
        ] {
            assert_eq!(wants_json(&args(text)), wanted, "{text}");
        }
    }
}
