//! Calls of cargo, for the workspace and for the example actors.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, bail};
use lattice_testkit::{actors_target_dir, workspace_root};

/// `cargo ARGS` in the workspace.
pub(crate) fn workspace(args: &[&str]) -> Command {
    let mut command = cargo(args);
    command.current_dir(workspace_root());
    command
}

/// `cargo ARGS` in the workspace of the example actors, whose target folder is its own.
pub(crate) fn actors(args: &[&str]) -> Command {
    let mut command = cargo(args);
    command
        .current_dir(workspace_root().join("examples/actors"))
        .env("CARGO_TARGET_DIR", actors_target_dir());
    command
}

/// The folders of the workspaces of fuzz targets: those that are quick to build, and those that need the engine, which is not.
pub(crate) fn fuzz_workspaces() -> [PathBuf; 2] {
    ["fuzz", "fuzz/engine"].map(|folder| workspace_root().join(folder))
}

/// `cargo ARGS` in a workspace of fuzz targets, whose target folder is its own.
pub(crate) fn fuzz(workspace: &Path, args: &[&str]) -> Command {
    in_fuzz(workspace, cargo(args))
}

/// `cargo fuzz ARGS`, by that program, in the same workspace.
pub(crate) fn cargo_fuzz(program: &Path, workspace: &Path, args: &[&str]) -> Command {
    let mut command = undescribed(Command::new(program));
    // It looks for `fuzz` beside the nearest other package, wherever it is started.
    command.arg("fuzz").args(args).arg("--fuzz-dir").arg(workspace);
    in_fuzz(workspace, command)
}

fn in_fuzz(workspace: &Path, mut command: Command) -> Command {
    command.env("CARGO_TARGET_DIR", workspace.join("target")).current_dir(workspace);
    command
}

fn cargo(args: &[&str]) -> Command {
    // The cargo that runs us, so that the toolchain is the same.
    let mut command = undescribed(Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())));
    command.args(args);
    command
}

/// Without what cargo told us about ourselves.
fn undescribed(mut command: Command) -> Command {
    // Cargo describes our package in variables of this kind; for the one we start they would be wrong.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command whose output goes where ours goes.
pub(crate) fn run(mut command: Command) -> anyhow::Result<()> {
    let shown = shown(&command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    match status.success() {
        true => Ok(()),
        false => bail!("`{shown}` failed ({status})"),
    }
}

/// Runs a command whose standard output goes where ours goes and is handed to `each` line by line.
pub(crate) fn run_reading(mut command: Command, mut each: impl FnMut(&str)) -> anyhow::Result<ExitStatus> {
    let shown = shown(&command);
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{shown}`"))?;
    let output = child.stdout.take().context("standard output was not piped")?;
    let mut ours = std::io::stdout();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.with_context(|| format!("cannot read from `{shown}`"))?;
        let text = String::from_utf8_lossy(&line);
        // Whoever closed our output does not want to read on.
        let _ = writeln!(ours, "{text}");
        each(&text);
    }
    child.wait().with_context(|| format!("cannot wait for `{shown}`"))
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = command.get_program();
    let program = std::path::Path::new(program).file_name().unwrap_or(program);
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
