//! The account key and the signed actors, both kept in `.lattice` for the next time.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, bail};
use lattice_testkit::{actor_file, binary, workspace_root};
use serde_json::Value;

use super::shown;

/// The actors that the quickstart runs.
pub(super) const ACTORS: [&str; 3] = ["hello", "echo", "kvcounter"];

/// Where the keys are.
pub(crate) fn keys_dir() -> PathBuf {
    workspace_root().join(".lattice/keys")
}

/// The seed of the account that signs the example actors.
pub(crate) fn account_file() -> PathBuf {
    keys_dir().join("quickstart_account.nk")
}

/// Its public key. Made the first time, and kept.
pub(crate) fn account_key() -> anyhow::Result<String> {
    let public = account_file().with_extension("pub");
    match fs::read_to_string(&public) {
        Ok(key) if account_file().is_file() => return Ok(key.trim().to_owned()),
        _ => {}
    }
    let generated = wash(&["-o", "json", "keys", "gen", "account"])?;
    let generated: Value = serde_json::from_str(&generated).context("`wash keys gen` printed no JSON")?;
    let member = |name: &str| {
        let value = generated.get(name).and_then(Value::as_str);
        value.with_context(|| format!("`wash keys gen` gave no {name}"))
    };
    let (key, seed) = (member("public_key")?, member("seed")?);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(keys_dir())
        .context("cannot make .lattice/keys")?;
    write_secret(&account_file(), seed)
        .with_context(|| format!("cannot write {}", shown(&account_file())))?;
    fs::write(&public, format!("{key}\n")).with_context(|| format!("cannot write {}", shown(&public)))?;
    Ok(key.to_owned())
}

/// Signs those that changed since they were signed; says which.
pub(crate) fn sign() -> anyhow::Result<String> {
    let dir = workspace_root().join(".lattice/actors");
    fs::create_dir_all(&dir).context("cannot make .lattice/actors")?;
    let mut signed = Vec::new();
    for actor in ACTORS {
        let (source, target) = (actor_file(actor)?, dir.join(format!("{actor}_s.wasm")));
        if !is_newer(&target, &[&source, &account_file()]) {
            sign_one(actor, &source, &target)?;
            signed.push(actor);
        }
    }
    Ok(match signed.is_empty() {
        true => format!("{}: unchanged since they were signed", ACTORS.join(", ")),
        false => format!("signed {} into {}", signed.join(", "), shown(&dir)),
    })
}

fn sign_one(actor: &str, source: &Path, target: &Path) -> anyhow::Result<()> {
    let text =
        |path: &Path| path.to_str().map(str::to_owned).with_context(|| format!("{path:?} is not UTF-8"));
    let (source, target, issuer) = (text(source)?, text(target)?, text(&account_file())?);
    let names = ["claims", "sign", &source, "--name", actor, "--ver", "0.1.0", "--rev", "1"];
    let files = ["--issuer", &issuer, "--destination", &target];
    wash(&[&names[..], &files[..]].concat()).map(drop)
}

/// Whether `file` is there and newer than all of `sources`.
fn is_newer(file: &Path, sources: &[&Path]) -> bool {
    let changed = |path: &Path| -> Option<SystemTime> { fs::metadata(path).ok()?.modified().ok() };
    let Some(made) = changed(file) else { return false };
    sources.iter().all(|source| changed(source).is_some_and(|time| time <= made))
}

/// Runs `wash`; its standard output.
fn wash(args: &[&str]) -> anyhow::Result<String> {
    // The actors' own keys belong to this clone, and not to the user's collection.
    let output = Command::new(binary("wash")?).args(args).env("WASH_KEYS", keys_dir()).output();
    let output = output.context("cannot start wash")?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("`wash {}` failed ({}): {error}", args.join(" "), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn write_secret(path: &Path, seed: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{seed}")
}
