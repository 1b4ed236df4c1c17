//! `cargo xtask test`: every step that shows that the project works, timed, counted, and none left out silently.

mod fuzz;
mod rust_tests;
mod tally;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use lattice_testkit::{Tools, binary, workspace_root};

use crate::docs::Programs;
use crate::{cargo, docs, say, setup};
use tally::{Counts, Tally};

/// What the steps need to know.
struct Surroundings {
    nats_server: PathBuf,
    /// How long each fuzz target runs; none without `--long`.
    long: Option<Duration>,
    /// Whether tests that need root are run.
    root: bool,
    /// Whether links that lead elsewhere are asked for.
    external_links: bool,
}

/// A step: its name for `--without`, what it does, and how.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&Surroundings) -> anyhow::Result<Counts>,
}

/// In this order: what is quick and fails often comes first.
const STEPS: [Step; 11] = [
    Step { name: "format", about: "formatting of the workspace and the example actors", run: format },
    Step { name: "spelling", about: "spelling of everything", run: spelling },
    Step { name: "links", about: "links and anchors in the documents", run: links },
    Step { name: "clippy", about: "clippy, warnings being errors", run: clippy },
    Step { name: "doc", about: "API documentation, warnings being errors", run: api_docs },
    Step { name: "actors", about: "build of the example actors", run: actors },
    Step { name: "build", about: "build of the binaries", run: build },
    Step { name: "quickstart", about: "cargo xtask quickstart --check", run: quickstart },
    Step { name: "rust", about: "unit and whole-lattice tests", run: rust },
    Step { name: "commands", about: "command blocks of README and docs", run: commands },
    Step { name: FUZZ, about: "what strangers may send, to every decoder", run: fuzz },
];

/// The step that is there with `--long` alone.
const FUZZ: &str = "fuzz";

/// Those of the `rust` tests that need root.
const ROOT: &str = "root";
/// Where the tests read that they are left out.
const WITHOUT_ROOT: &str = "LATTICE_TESTS_WITHOUT_ROOT";

/// The names that `--without` takes.
pub(crate) fn names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).chain([ROOT]).collect()
}

/// Sets up, runs all steps but those in `without`, and sums up; `long`: also what takes minutes, and each fuzz target for so long.
/// `external_links`: also asks other people's servers whether they have what documents link to. True when nothing failed.
pub(crate) fn run(without: &[String], long: Option<Duration>, external_links: bool) -> anyhow::Result<bool> {
    setup::wasm_targets()?;
    let is_left_out = |name: &str| without.iter().any(|left_out| left_out == name);
    let root = !is_left_out(ROOT);
    let surroundings = Surroundings { nats_server: setup::nats_server(None)?, long, root, external_links };
    let mut tally = Tally::default();
    if !is_left_out("rust") {
        setup::registry()?;
        if root { setup::root()? } else { tally.leave_out(ROOT) }
    }
    if !is_left_out("spelling") {
        setup::spelling()?;
    }
    for step in &STEPS {
        if is_left_out(step.name) {
            tally.leave_out(step.name);
            continue;
        }
        if step.name == FUZZ && long.is_none() {
            tally.leave_out_long(step.name);
            continue;
        }
        say::line(&format!("\n== {}: {}", step.name, step.about));
        let started = Instant::now();
        let outcome = (step.run)(&surroundings);
        let verdict = match &outcome {
            Ok(counts) if counts.failed == 0 => "passed".to_owned(),
            Ok(counts) => format!("{} failed", counts.failed),
            Err(error) => format!("failed: {error:#}"),
        };
        say::line(&format!("== {}: {verdict} ({})", step.name, say::seconds(started.elapsed())));
        tally.add(step.name, outcome.unwrap_or(Counts::FAILED), started.elapsed());
    }
    tally.close();
    Ok(tally.is_green())
}

fn format(_: &Surroundings) -> anyhow::Result<Counts> {
    cargo::run(cargo::workspace(&["fmt", "--all", "--check"]))?;
    cargo::run(cargo::actors(&["fmt", "--all", "--check"]))?;
    for workspace in cargo::fuzz_workspaces() {
        cargo::run(cargo::fuzz(&workspace, &["fmt", "--all", "--check"]))?;
    }
    Ok(Counts::PASSED)
}

fn spelling(_: &Surroundings) -> anyhow::Result<Counts> {
    let program = Tools::of_workspace().typos(&mut |line| say::line(line))?;
    let mut typos = Command::new(program);
    typos.current_dir(workspace_root());
    cargo::run(typos).map(|()| Counts::PASSED)
}

fn links(surroundings: &Surroundings) -> anyhow::Result<Counts> {
    let mut broken = docs::broken_links(&workspace_root())?;
    if surroundings.external_links {
        broken.extend(docs::unanswered_links(&workspace_root())?);
    }
    broken.iter().for_each(|broken| say::line(broken));
    ensure!(broken.is_empty(), "{} broken links", broken.len());
    Ok(Counts::PASSED)
}

fn clippy(_: &Surroundings) -> anyhow::Result<Counts> {
    let strict = ["--", "--deny", "warnings"];
    cargo::run(cargo::workspace(&[&["clippy", "--workspace", "--all-targets"][..], &strict].concat()))?;
    cargo::run(cargo::actors(&[&["clippy", "--release"][..], &strict].concat())).map(|()| Counts::PASSED)
}

fn api_docs(_: &Surroundings) -> anyhow::Result<Counts> {
    let mut doc = cargo::workspace(&["doc", "--workspace", "--no-deps"]);
    doc.env("RUSTDOCFLAGS", "--deny warnings");
    cargo::run(doc).map(|()| Counts::PASSED)
}

fn actors(_: &Surroundings) -> anyhow::Result<Counts> {
    cargo::run(cargo::actors(&["build", "--release"])).map(|()| Counts::PASSED)
}

fn build(_: &Surroundings) -> anyhow::Result<Counts> {
    cargo::run(cargo::workspace(&["build", "--workspace", "--bins"])).map(|()| Counts::PASSED)
}

fn rust(surroundings: &Surroundings) -> anyhow::Result<Counts> {
    let mut arguments = vec!["test", "--workspace", "--no-fail-fast"];
    if surroundings.long.is_some() {
        arguments.extend(["--", "--include-ignored"]);
    }
    let mut test = cargo::workspace(&arguments);
    test.env("NATS_SERVER", &surroundings.nats_server);
    if !surroundings.root {
        test.env(WITHOUT_ROOT, "1");
    }
    rust_tests::run(test)
}

fn quickstart(surroundings: &Surroundings) -> anyhow::Result<Counts> {
    ensure!(
        crate::quickstart::run(Some(&surroundings.nats_server), true)?,
        "an actor does not answer as it should"
    );
    Ok(Counts::PASSED)
}

fn commands(surroundings: &Surroundings) -> anyhow::Result<Counts> {
    let binaries = binary("wash")?.parent().context("wash is in no folder")?.to_owned();
    let registry = Tools::of_workspace().docker_registry(&mut |line| say::line(line))?;
    let programs = Programs { binaries, nats_server: surroundings.nats_server.clone(), registry };
    let (root, runtime) =
        (workspace_root(), tokio::runtime::Builder::new_current_thread().enable_all().build());
    let checked = docs::run_commands(&root, &programs);
    let (passed, failed) = runtime.context("cannot make a runtime")?.block_on(checked)?;
    Ok(Counts { passed, failed })
}

fn fuzz(surroundings: &Surroundings) -> anyhow::Result<Counts> {
    fuzz::run(&setup::cargo_fuzz()?, surroundings.long.context("this is a step of --long")?)
}
