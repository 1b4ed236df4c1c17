//! What quickstart and test need from outside: the wasm target and a few programs. Each is looked for first; what is
//! fetched goes into `.lattice/tools`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use lattice_testkit::{Tools, nats_server_version, workspace_root};

use crate::say;

/// What WebAssembly is built for: components (the example actors), WASI preview 1 commands, and bare modules.
const WASM_TARGETS: [&str; 3] = ["wasm32-wasip2", "wasm32-wasip1", "wasm32-unknown-unknown"];

/// Everything that any command of ours needs.
pub(crate) fn everything(nats_server: Option<&Path>) -> anyhow::Result<()> {
    wasm_targets()?;
    self::nats_server(nats_server)?;
    registry()?;
    spelling()
}

/// Adds the wasm targets to the toolchain where they are missing.
pub(crate) fn wasm_targets() -> anyhow::Result<()> {
    let told = |added: &Vec<&str>| match added.as_slice() {
        [] => "there".to_owned(),
        added => format!("added {}", added.join(", ")),
    };
    say::step("the wasm targets of the toolchain", add_wasm_targets, told).map(drop)
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

/// What tests stand on that need root: hosts on machines of their own are network namespaces, made by `ip` of iproute2.
pub(crate) fn root() -> anyhow::Result<()> {
    say::step("root, with network namespaces", make_a_namespace, |()| "there".to_owned())
}

fn make_a_namespace() -> anyhow::Result<()> {
    const REMEDY: &str = "run as root (in a container: with CAP_SYS_ADMIN and CAP_NET_ADMIN), with `ip` of iproute2 on PATH, or \
                          leave these tests out: cargo xtask test --without root";
    let ip = |words: &[&str]| Command::new("ip").args(words).stdout(Stdio::null()).output();
    if ip(&["-V"]).is_err() {
        noted("apt-get install iproute2");
        // Where that fails, what it was for says so.
        let _ = Command::new("apt-get").args(["install", "--yes", "--quiet", "iproute2"]).output();
    }
    let name = format!("lattice-probe-{}", std::process::id());
    let made = ip(&["netns", "add", &name]).with_context(|| format!("`ip` does not start; {REMEDY}"))?;
    if !made.status.success() {
        bail!("ip netns add: {}; {REMEDY}", String::from_utf8_lossy(&made.stderr).trim());
    }
    ip(&["netns", "delete", &name]).map(drop).context("cannot take the namespace away again")
}

/// The tool that builds and runs what is in `fuzz/`. Only `--long` needs it, and it is built from source.
pub(crate) fn cargo_fuzz() -> anyhow::Result<PathBuf> {
    say::step("cargo-fuzz", || Ok(Tools::of_workspace().cargo_fuzz(&mut noted)?), |program| path(program))
}

fn path(program: &Path) -> String {
    program.display().to_string()
}

fn noted(text: &str) {
    say::line(&format!("  {text}"));
}

/// Those that had to be added.
fn add_wasm_targets() -> anyhow::Result<Vec<&'static str>> {
    let missing = missing_wasm_targets()?;
    if missing.is_empty() {
        return Ok(missing);
    }
    let line = format!("rustup target add {}", missing.join(" "));
    let remedy = format!("add them to your Rust toolchain, as `{line}` does");
    let mut rustup = Command::new("rustup");
    let status = rustup.args(["target", "add"]).args(&missing).current_dir(workspace_root()).status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => bail!("rustup could not add {} ({status}); {remedy}", missing.join(", ")),
        Err(error) => bail!("cannot start rustup: {error}; {remedy}"),
    }
    match missing_wasm_targets()?.as_slice() {
        [] => Ok(missing),
        still => bail!("rustup added them, and rustc still does not find {}; {remedy}", still.join(", ")),
    }
}

fn missing_wasm_targets() -> anyhow::Result<Vec<&'static str>> {
    let mut missing = Vec::new();
    for target in WASM_TARGETS {
        let mut rustc = Command::new("rustc");
        rustc.args(["--print", "target-libdir", "--target", target]).current_dir(workspace_root());
        let output = rustc.stderr(Stdio::inherit()).output().context("cannot start rustc")?;
        if !Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir() {
            missing.push(target);
        }
    }
    Ok(missing)
}
