//! What quickstart and test need from outside: the wasm target and a few programs. Each is looked for first; what is
//! fetched goes into `.lattice/tools`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use lattice_testkit::{Tools, nats_server_version, workspace_root};

use crate::say;

/// The target that the example actors are built for.
const WASM_TARGET: &str = "wasm32-wasip2";

/// Everything that any command of ours needs.
pub(crate) fn everything(nats_server: Option<&Path>) -> anyhow::Result<()> {
    wasm_target()?;
    self::nats_server(nats_server)?;
    registry()?;
    spelling()
}

/// Adds the wasm target to the toolchain when it is missing.
pub(crate) fn wasm_target() -> anyhow::Result<()> {
    let what = format!("the {WASM_TARGET} standard library");
    say::step(&what, add_wasm_target, |added| if *added { "added" } else { "there" }.to_owned()).map(drop)
}

/// The nats-server to use.
pub(crate) fn nats_server(chosen: Option<&Path>) -> anyhow::Result<PathBuf> {
    let find = || {
        let program = Tools::of_workspace().nats_server(chosen, &mut noted)?;
        // Children run elsewhere.
        let program =
            std::path::absolute(&program).with_context(|| format!("cannot locate {}", program.display()))?;
        let version = nats_server_version(&program)?;
        Ok((program, version))
    };
    let found =
        say::step("nats-server", find, |(program, version)| format!("{version}, {}", program.display()))?;
    Ok(found.0)
}

/// The OCI registry that tests push to.
pub(crate) fn registry() -> anyhow::Result<()> {
    say::step(
        "docker-registry",
        || Ok(Tools::of_workspace().docker_registry(&mut noted)?),
        |program| path(program),
    )
    .map(drop)
}

/// The spelling checker.
pub(crate) fn spelling() -> anyhow::Result<()> {
    say::step("typos", || Ok(Tools::of_workspace().typos(&mut noted)?), |program| path(program)).map(drop)
}

fn path(program: &Path) -> String {
    program.display().to_string()
}

fn noted(text: &str) {
    say::line(&format!("  {text}"));
}

/// True when it had to be added.
fn add_wasm_target() -> anyhow::Result<bool> {
    if has_wasm_target()? {
        return Ok(false);
    }
    let mut rustup = Command::new("rustup");
    let status = rustup.args(["target", "add", WASM_TARGET]).current_dir(workspace_root()).status();
    let remedy = format!(
        "add the target {WASM_TARGET} to your Rust toolchain, as `rustup target add {WASM_TARGET}` does"
    );
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => bail!("rustup could not add it ({status}); {remedy}"),
        Err(error) => bail!("cannot start rustup: {error}; {remedy}"),
    }
    match has_wasm_target()? {
        true => Ok(true),
        false => bail!("rustup added it, and rustc still does not find it; {remedy}"),
    }
}

fn has_wasm_target() -> anyhow::Result<bool> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", WASM_TARGET]).current_dir(workspace_root());
    let output = rustc.stderr(Stdio::inherit()).output().context("cannot start rustc")?;
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}
