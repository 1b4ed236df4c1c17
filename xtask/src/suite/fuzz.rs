//! The programs in `fuzz/`, and those in `fuzz/engine`: built once, each run for a time over its corpus, each a test of its own.
//!
//! What a run finds on the way to new code goes into `target/corpus` beside the programs, never into the repository. An input that
//! breaks a target stays in `artifacts` there, and is named with the command that runs it again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::tally::Counts;
use crate::{cargo, say};

/// The longest that one input may take, in seconds: what grows faster than the input shows here.
const ONE_WITHIN_S: u32 = 20;
/// What a target may take in all. Each bounds what it takes for one input, which is far less.
const MEMORY_MIB: u32 = 1024;
/// What starting, and reading the corpus, may take beyond the time given.
const GRACE: Duration = Duration::from_secs(60);
/// How often a target is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs every target of every workspace for `time`.
///
/// # Errors
/// If they cannot be built, or one has no corpus to begin with.
pub(super) fn run(cargo_fuzz: &Path, time: Duration) -> anyhow::Result<Counts> {
    let mut counts = Counts::default();
    for folder in cargo::fuzz_workspaces() {
        counts += Fuzz { cargo_fuzz: cargo_fuzz.to_owned(), folder }.run(time)?;
    }
    Ok(counts)
}

/// What came of one target.
enum Outcome {
    /// It ran through so many inputs.
    Passed(u64),
    /// What it said, and what to do.
    Failed(String),
}

struct Fuzz {
    cargo_fuzz: PathBuf,
    /// The workspace.
    folder: PathBuf,
}

impl Fuzz {
    /// Builds all targets of the workspace, and runs one after the other.
    fn run(&self, time: Duration) -> anyhow::Result<Counts> {
        let targets = self.targets()?;
        let programs = self.build()?;
        let mut counts = Counts::default();
        for target in &targets {
            let started = Instant::now();
            let took = || say::seconds(started.elapsed());
            match self.run_one(&programs, target, time)? {
                Outcome::Passed(executions) => {
                    counts.passed += 1;
                    say::line(&format!("{target:<14} ok      {executions:>10} inputs  {}", took()));
                }
                Outcome::Failed(why) => {
                    counts.failed += 1;
                    say::line(&format!("{target:<14} FAILED  {}\n{why}", took()));
                }
            }
        }
        Ok(counts)
    }

    /// The names of all targets, each of which has inputs to begin with.
    fn targets(&self) -> anyhow::Result<Vec<String>> {
        let sources = self.folder.join("fuzz_targets");
        let mut targets = Vec::new();
        for entry in fs::read_dir(&sources).with_context(|| format!("cannot read {}", sources.display()))? {
            let name = entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned());
            targets.extend(name);
        }
        targets.sort();
        for target in &targets {
            let corpus = self.corpus(target);
            let filled = fs::read_dir(&corpus).is_ok_and(|mut inputs| inputs.next().is_some());
            ensure!(filled, "{} is empty: put an input there that {target} reads", corpus.display());
        }
        Ok(targets)
    }

    fn corpus(&self, target: &str) -> PathBuf {
        self.folder.join("corpus").join(target)
    }

    /// Builds all of them, and says where.
    fn build(&self) -> anyhow::Result<PathBuf> {
        let mut rustc = Command::new("rustc");
        let host = rustc.args(["--print", "host-tuple"]).output().context("cannot start rustc")?;
        let host = String::from_utf8_lossy(&host.stdout).trim().to_owned();
        // No sanitizer: there is no unsafe code of ours here, and without one the stable toolchain does.
        let args = ["build", "--sanitizer", "none", "--strip-dead-code", "--target", &host];
        cargo::run(cargo::cargo_fuzz(&self.cargo_fuzz, &self.folder, &args))?;
        Ok(self.folder.join("target").join(host).join("release"))
    }

    fn run_one(&self, programs: &Path, target: &str, time: Duration) -> anyhow::Result<Outcome> {
        let found = self.folder.join("target/corpus").join(target);
        let artefacts = self.folder.join("artifacts").join(target);
        let logs = self.folder.join("target/logs");
        for folder in [&found, &artefacts, &logs] {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let log = logs.join(format!("{target}.log"));
        let file = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        let program = programs.join(target);
        let mut command = Command::new(&program);
        // New inputs go into the first folder.
        command.args([&found, &self.corpus(target)]).current_dir(&self.folder).args([
            format!("-artifact_prefix={}/", artefacts.display()),
            format!("-max_total_time={}", time.as_secs()),
            format!("-timeout={ONE_WITHIN_S}"),
            format!("-rss_limit_mb={MEMORY_MIB}"),
            "-print_final_stats=1".to_owned(),
        ]);
        let both = file.try_clone().context("cannot share the log")?;
        let status = run_bounded(command.stdout(both).stderr(file), time + GRACE)?;
        let said = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
        let said = String::from_utf8_lossy(&said);
        Ok(match (status, executions(&said)) {
            (Some(status), Some(executions)) if status.success() => Outcome::Passed(executions),
            (Some(_), _) => Outcome::Failed(failure(&program, &said, &log)),
            (None, _) => Outcome::Failed(format!("  it did not end by itself; see {}", log.display())),
        })
    }
}

/// What broke it: its own words, and the input.
fn failure(program: &Path, said: &str, log: &Path) -> String {
    let mut lines: Vec<String> = words(said).map(|line| format!("  {line}")).collect();
    if let Some(input) = artefact(said) {
        lines.push(format!("  the input is kept: {input}"));
        lines.push(format!("  again: {} {input}", program.display()));
    }
    lines.push(format!("  all that it said: {}", log.display()));
    lines.join("\n")
}

/// Runs a command for at most so long; none where it had to be stopped.
fn run_bounded(command: &mut Command, within: Duration) -> anyhow::Result<Option<ExitStatus>> {
    let shown = cargo::shown(command);
    let mut child =
        command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start `{shown}`"))?;
    let until = Instant::now() + within;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().with_context(|| format!("cannot wait for `{shown}`"))? {
            return Ok(Some(status));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    child.kill().and_then(|()| child.wait()).with_context(|| format!("cannot stop `{shown}`"))?;
    Ok(None)
}

/// How many inputs libFuzzer says that it ran.
fn executions(said: &str) -> Option<u64> {
    let number = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    number.trim().parse().ok()
}

/// What a panic or libFuzzer says went wrong.
fn words(said: &str) -> impl Iterator<Item = &str> {
    let is_panic = |line: &str| line.contains(" panicked at ");
    let mut after_panic = false;
    said.lines().filter(move |line| {
        let wanted = after_panic || is_panic(line) || line.contains("ERROR: libFuzzer");
        after_panic = is_panic(line);
        wanted
    })
}

/// The file into which libFuzzer wrote the input that broke the target.
fn artefact(said: &str) -> Option<&str> {
    said.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, file)| file.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROKEN: &str = "\
INFO: seed corpus: files: 3
thread '<unnamed>' (7) panicked at src/a.rs:3:5:
index out of bounds: the len is 0 but the index is 0
note: run with `RUST_BACKTRACE=1`
==7== ERROR: libFuzzer: deadly signal
artifact_prefix='/w/fuzz/artifacts/a/'; Test unit written to /w/fuzz/artifacts/a/crash-12ab
";

    #[test]
    fn what_libfuzzer_says_is_read() {
        assert_eq!(executions("x\nstat::number_of_executed_units: 12345\n"), Some(12_345));
        assert_eq!(executions(BROKEN), None);
        assert_eq!(artefact(BROKEN), Some("/w/fuzz/artifacts/a/crash-12ab"));
        let told: Vec<&str> = words(BROKEN).collect();
        assert_eq!(
            told,
            [
                "thread '<unnamed>' (7) panicked at src/a.rs:3:5:",
                "index out of bounds: the len is 0 but the index is 0",
                "==7== ERROR: libFuzzer: deadly signal"
            ]
        );
    }

    /// What is no `[[bin]]` is not built, and is missed only when the fuzzer runs.
    #[test]
    fn every_target_has_a_corpus_and_is_built() {
        for folder in cargo::fuzz_workspaces() {
            let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
            let targets = Fuzz { cargo_fuzz: PathBuf::new(), folder: folder.clone() }.targets().unwrap();
            assert!(!targets.is_empty(), "{}", folder.display());
            for target in targets {
                let bin = format!("[[bin]]\nname = \"{target}\"\npath = \"fuzz_targets/{target}.rs\"\n");
                assert!(manifest.contains(&bin), "{} does not build {target}", folder.display());
            }
        }
    }

    #[test]
    fn what_does_not_end_is_stopped() {
        let started = Instant::now();
        let ended = run_bounded(Command::new("sleep").arg("60"), Duration::from_millis(300)).unwrap();
        assert_eq!(ended, None);
        assert!(started.elapsed() < Duration::from_secs(30));
        assert!(run_bounded(&mut Command::new("true"), Duration::from_secs(60)).unwrap().unwrap().success());
    }
}
