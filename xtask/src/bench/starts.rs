//! The quickstart's two times: the first, which compiles everything, and every later one.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use lattice_testkit::workspace_root;
use serde_json::{Value, json};

use crate::{cargo, say};

/// Seconds of a later start, and of a first one where it was asked for: that takes minutes.
pub(super) fn measure(first: bool) -> anyhow::Result<Value> {
    // Once uncounted, so that everything is built.
    check(None)?;
    let again = check(None)?.as_secs_f64();
    let first = match first {
        true => {
            say::line("a first quickstart, in an empty build folder …");
            let empty = tempfile::tempdir().context("cannot make a temporary folder")?;
            Some(check(Some(empty.path()))?.as_secs_f64())
        }
        false => None,
    };
    Ok(json!({ "again_s": again, "first_s": first }))
}

/// `cargo xtask quickstart --check`, whole: xtask itself is built too.
fn check(target_dir: Option<&Path>) -> anyhow::Result<Duration> {
    let mut command: Command = cargo::workspace(&["xtask", "quickstart", "--check"]);
    command.current_dir(workspace_root());
    if let Some(folder) = target_dir {
        command.env("CARGO_TARGET_DIR", folder);
    }
    let began = Instant::now();
    let output = command.output().context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "quickstart failed:\n{said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(began.elapsed())
}
