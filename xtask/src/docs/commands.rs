//! The commands of README and docs, run as they stand, from the workspace, with the project's binaries on `PATH`. The home folder is a
//! temporary one for each document, so that the user's own keys, caches and files are neither seen nor changed, and NATS is on a
//! port of its own, so that a lattice that runs on this machine is neither met nor disturbed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use lattice_testkit::{Launch, Process, free_port};

use super::blocks::{Block, Command, Mode, blocks};
use super::{documents, expected};
use crate::say;

/// The first quickstart compiles everything.
const COMMAND_WITHIN: Duration = Duration::from_secs(20 * 60);
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// Programs of which the commands need to know.
pub(crate) struct Programs {
    /// The folder of the project's binaries.
    pub(crate) binaries: PathBuf,
    pub(crate) nats_server: PathBuf,
    /// An OCI registry, on `PATH` for those documents that start one.
    pub(crate) registry: PathBuf,
}

/// Runs the command blocks of `README.md` and of everything in `docs/`, in order. How many passed and how many failed.
pub(crate) async fn run_commands(root: &Path, programs: &Programs) -> anyhow::Result<(u64, u64)> {
    let (mut passed, mut failed) = (0, 0);
    for document in documents(root)? {
        if document != Path::new("README.md") && !document.starts_with("docs") {
            continue;
        }
        let text = std::fs::read_to_string(root.join(&document))
            .with_context(|| format!("cannot read {}", document.display()))?;
        let found = match blocks(&text) {
            Ok(found) => found,
            Err((line, reason)) => {
                say::line(&format!("{}:{line}: {reason}", document.display()));
                failed += 1;
                continue;
            }
        };
        let mut run = Run::new(root, programs)?;
        for block in found {
            let place = format!("{}:{}", document.display(), block.line);
            match run.block(&block, &place).await {
                Ok(true) => passed += 1,
                Ok(false) => {}
                Err(error) => {
                    say::line(&format!("{place}: {error:#}"));
                    failed += 1;
                }
            }
        }
        failed += run.end(&document).await;
    }
    Ok((passed, failed))
}

/// The run of one document.
struct Run {
    root: PathBuf,
    home: tempfile::TempDir,
    path: OsString,
    nats_server: PathBuf,
    nats_port: String,
    before: BTreeSet<String>,
    background: Vec<(String, Process)>,
}

impl Run {
    fn new(root: &Path, programs: &Programs) -> anyhow::Result<Self> {
        let home = tempfile::tempdir().context("cannot make a temporary folder")?;
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let folder_of = |program: &Path| program.parent().map(Path::to_owned);
        let ours = std::iter::once(programs.binaries.clone()).chain(
            [&programs.nats_server, &programs.registry].into_iter().filter_map(|file| folder_of(file)),
        );
        let path = std::env::join_paths(ours.chain(std::env::split_paths(&inherited)));
        Ok(Self {
            root: root.to_owned(),
            home,
            path: path.context("a folder on PATH has a colon in its name")?,
            nats_server: programs.nats_server.clone(),
            nats_port: free_port()?.to_string(),
            before: changed_files(root),
            background: Vec::new(),
        })
    }

    /// True when it was run, false when it was skipped.
    async fn block(&mut self, block: &Block, place: &str) -> anyhow::Result<bool> {
        if let Mode::Skip(reason) = &block.mode {
            say::line(&format!("{place}: not run: {reason}"));
            return Ok(false);
        }
        if block.commands.iter().any(|command| command.script.trim_start().starts_with("cargo xtask test")) {
            say::line(&format!("{place}: not run: a test run inside a test run"));
            return Ok(false);
        }
        for command in &block.commands {
            let started = Instant::now();
            match &block.mode {
                Mode::Background(until) => self.start(command, place, until).await?,
                _ => self.finish(command).await?,
            }
            let first = command.script.lines().next().unwrap_or_default();
            say::line(&format!("{place}: {first} ({})", say::seconds(started.elapsed())));
        }
        Ok(true)
    }

    async fn finish(&self, command: &Command) -> anyhow::Result<()> {
        let mut process = self.launch(command)?;
        let status = process.wait(COMMAND_WITHIN).await?;
        let output = process.output();
        anyhow::ensure!(status.success(), "`{}` failed ({status}):\n{output}", command.script);
        match &command.expected {
            Some(shown) if !expected::matches(shown, &output) => Err(differs(command, shown, &output)),
            _ => Ok(()),
        }
    }

    async fn start(&mut self, command: &Command, place: &str, until: &str) -> anyhow::Result<()> {
        let mut process = self.launch(command)?;
        process.wait_for_line(until, COMMAND_WITHIN).await?;
        let output = process.output();
        self.background.push((place.to_owned(), process));
        match &command.expected {
            Some(shown) if !expected::matches_so_far(shown, &output) => Err(differs(command, shown, &output)),
            _ => Ok(()),
        }
    }

    fn launch(&self, command: &Command) -> anyhow::Result<Process> {
        let home = |name: &str| self.home.path().join(name);
        // exec: what is asked to stop has to be the command itself where a block is one command.
        let script = match command.script.trim().contains(['\n', ';', '&', '|', '(']) {
            true => command.script.clone(),
            false => format!("exec {}", command.script.trim()),
        };
        let launch = Launch::program("bash").args(["-euo", "pipefail", "-c"]).arg(script).dir(&self.root);
        let launch = launch.env("PATH", &self.path).env("NATS_SERVER", &self.nats_server);
        let launch = launch.env("WASMCLOUD_NATS_PORT", &self.nats_port);
        let launch = launch.env("WASMCLOUD_CTL_PORT", &self.nats_port).env("HOME", self.home.path());
        let launch = launch.env("XDG_DATA_HOME", home("data")).env("XDG_CACHE_HOME", home("cache"));
        let launch = launch.env("XDG_CONFIG_HOME", home("config")).env("WASH_KEYS", home("keys"));
        let launch = toolchain().into_iter().fold(launch, |launch, (name, folder)| launch.env(name, folder));
        Ok(Process::spawn(launch)?)
    }

    /// Stops what is still running, the last first, since it may stand on what was started before it. How many things went wrong
    /// with that, and with files left behind.
    async fn end(mut self, document: &Path) -> u64 {
        let mut failed = 0;
        for (place, process) in self.background.iter_mut().rev() {
            if let Err(error) = process.stop(STOP_WITHIN).await {
                say::line(&format!("{place}: does not stop: {error}"));
                failed += 1;
            }
        }
        let left: Vec<String> = changed_files(&self.root).difference(&self.before).cloned().collect();
        if !left.is_empty() {
            say::line(&format!("{}: its commands left behind: {}", document.display(), left.join(", ")));
            failed += 1;
        }
        failed
    }
}

/// Where the toolchain is, which it looks for in the home folder unless told.
fn toolchain() -> Vec<(&'static str, PathBuf)> {
    let home = std::env::home_dir().unwrap_or_default();
    let folder = |name: &'static str, usual: &str| {
        let folder = std::env::var_os(name).map_or_else(|| home.join(usual), PathBuf::from);
        (name, folder)
    };
    vec![folder("CARGO_HOME", ".cargo"), folder("RUSTUP_HOME", ".rustup")]
}

fn differs(command: &Command, shown: &str, output: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "`{}` does not print what the document shows\n--- shown\n{shown}--- printed\n{output}---",
        command.script
    )
}

/// What git sees as new or changed. Nothing where there is no git, as in an unpacked archive.
fn changed_files(root: &Path) -> BTreeSet<String> {
    let mut git = std::process::Command::new("git");
    let output = git.args(["status", "--porcelain"]).current_dir(root).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn outcome(readme: &str) -> (u64, u64) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("README.md"), readme).unwrap();
        let none = dir.path().join("none");
        let programs =
            Programs { binaries: dir.path().to_owned(), nats_server: none.clone(), registry: none };
        run_commands(dir.path(), &programs).await.unwrap()
    }

    #[tokio::test]
    async fn blocks_pass_fail_and_are_skipped() {
        let cases = [
            ("```sh\ntest -f README.md\n```", (1, 0)),
            ("```sh\nfalse\necho not reached\n```", (0, 1)),
            ("```sh\necho kept > ~/file\n```\n```sh\ntest -f ~/file\n```", (2, 0)),
            ("```console\n$ echo one\none\n$ echo two\n…\n```", (1, 0)),
            ("```console\n$ echo one\ntwo\n```", (0, 1)),
            ("```sh no-run reason=\"a reason\"\nfalse\n```", (0, 0)),
            ("```sh\ncargo xtask test\n```", (0, 0)),
            ("```sh later\n```", (0, 1)),
            ("```rust\nfalse\n```", (0, 0)),
        ];
        for (readme, expected) in cases {
            assert_eq!(outcome(&format!("{readme}\n")).await, expected, "{readme}");
        }
    }

    #[tokio::test]
    async fn what_runs_in_the_background_runs_for_the_blocks_after_it() {
        let server = "```sh background until=\"up\"\ntrap 'rm -f \"$XDG_DATA_HOME\"' TERM; touch \"$XDG_DATA_HOME\"; echo up; sleep 60 & wait\n```\n";
        assert_eq!(outcome(&format!("{server}```sh\ntest -f \"$XDG_DATA_HOME\"\n```\n")).await, (2, 0));
        assert_eq!(outcome("```sh background until=\"up\"\necho down\n```\n").await, (0, 1));
    }
}
