//! A host of our own: `wasmcloud`, found, started, and ready.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;

use super::{
    Child, Logs, Place, Record, Role, Slot,
    child::first_line,
    nats::{cannot, in_path},
    version::Version,
};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
};

/// What the line on its standard output starts with.
const READY: &str = "wasmcloud ready:";

/// The host program.
#[derive(Debug)]
pub(crate) struct HostProgram {
    pub(crate) program: PathBuf,
    pub(crate) version: String,
}

impl HostProgram {
    /// The program named, or the one beside ourselves, or the first in PATH.
    pub(crate) async fn find(given: Option<&Path>) -> Outcome<HostProgram> {
        let Some(program) = given.map(Path::to_owned).or_else(beside).or_else(in_the_path) else {
            let text = "there is no `wasmcloud` beside wash, nor in PATH";
            return Err(Failure::say(Exit::Refused, text).help("name it with --wasmcloud FILE"));
        };
        match Version::of(&program).await {
            Ok(version) => Ok(HostProgram { program, version: version.to_string() }),
            Err(why) => {
                let text = format!("{} is no wasmcloud: {why}", program.display());
                Err(Failure::say(Exit::Refused, text).help("name another one with --wasmcloud FILE"))
            }
        }
    }
}

fn beside() -> Option<PathBuf> {
    let wash = std::env::current_exe().ok()?;
    let program = wash.parent()?.join("wasmcloud");
    program.is_file().then_some(program)
}

fn in_the_path() -> Option<PathBuf> {
    in_path("wasmcloud", &std::env::var_os("PATH")?).into_iter().next()
}

/// How to start a host.
#[derive(Debug)]
pub(crate) struct HostOptions {
    pub(crate) lattice: String,
    pub(crate) nats_url: String,
    /// Flags of the host, besides those that the other fields make.
    pub(crate) args: Vec<OsString>,
    /// What should not stand in a list of processes.
    pub(crate) env: Vec<(&'static str, OsString)>,
    pub(crate) logs: Logs,
    pub(crate) detached: bool,
}

impl HostProgram {
    /// Starts a host. It is not ready yet: see [`HostProcess::ready`].
    pub(crate) fn start(&self, place: &Place, options: HostOptions) -> Outcome<HostProcess> {
        let prefix = format!("host-{}", options.lattice);
        let slot = Slot::take_any(&place.up(), &prefix).map_err(|error| cannot("use", &place.up(), error))?;
        let mut command = Command::new(&self.program);
        command.args(["--nats-url", &options.nats_url, "--lattice", &options.lattice]);
        command.arg("--data-dir").arg(place.root()).args(&options.args);
        command.envs(options.env.iter().map(|(name, value)| (name, value)));
        // They would contradict the URL.
        command.env_remove("WASMCLOUD_NATS_HOST").env_remove("WASMCLOUD_NATS_PORT");
        let child = Child::start(command, Stdio::piped(), &slot, options.logs)
            .map_err(|error| cannot("start", &self.program, error))?;
        Ok(HostProcess { child, slot, options, host_id: String::new() })
    }
}

/// A host that was started.
#[derive(Debug)]
pub(crate) struct HostProcess {
    pub(crate) child: Child,
    /// Its `N…` key, once it is ready.
    pub(crate) host_id: String,
    slot: Slot,
    options: HostOptions,
}

impl HostProcess {
    /// Waits, once and at most `within`, until the host answers its control subjects, and puts it on record.
    ///
    /// # Errors
    /// It ended, is not ready in time, or is no host. If it still runs, stopping it is the caller's.
    ///
    /// # Cancellation
    /// The host goes on; it cannot be waited for again.
    pub(crate) async fn ready(&mut self, within: Duration) -> Outcome {
        let line = match self.child.stdout() {
            Some(out) => tokio::time::timeout(within, first_line(out)).await,
            None => Ok(None),
        };
        let line = match line {
            Ok(Some(line)) => line,
            Ok(None) => return Err(self.ended().await),
            Err(_) => {
                let failure = self.not_ready(&format!("is not ready after {within:?}"));
                return Err(
                    failure.help("what takes so long stands above; --wait-timeout-ms gives it more time")
                );
            }
        };
        if !line.starts_with(READY) {
            return Err(self.not_ready(&format!("said {line:?} instead of being ready")));
        }
        self.host_id = host_id(&line).unwrap_or_default();
        let record = Record {
            role: Role::Host,
            pid: self.child.pid(),
            nats_url: self.options.nats_url.clone(),
            lattice: Some(self.options.lattice.clone()),
            host_id: Some(self.host_id.clone()),
            log: self.child.log().map(Path::to_owned),
            detached: self.options.detached,
        };
        self.slot
            .write(&record)
            .map_err(|error| Failure::refused(error).context("cannot write the host's record"))
    }

    fn not_ready(&self, what: &str) -> Failure {
        Failure::say(Exit::Refused, format!("wasmcloud {what}{}", self.child.last_lines()))
    }

    /// Its standard output ended before it was ready: it has ended, or is about to.
    async fn ended(&mut self) -> Failure {
        let Ok(status) = tokio::time::timeout(Duration::from_secs(5), self.child.ended()).await else {
            return self.not_ready("closed its output without being ready");
        };
        self.child.finish().await;
        let status = status.ok();
        // The host has the same codes as we have: 2 is a wrong flag, 3 a lattice out of reach.
        let exit = match status.and_then(|status| status.code()) {
            Some(2) => Exit::Usage,
            Some(3) => Exit::Unreachable,
            _ => Exit::Refused,
        };
        let status = status.map(|status| status.to_string()).unwrap_or_default();
        let lines = self.child.last_lines();
        Failure::say(exit, format!("wasmcloud ended before it was ready ({status}){lines}"))
    }
}

/// The `N…` key in `wasmcloud ready: host N… lattice default`.
fn host_id(line: &str) -> Option<String> {
    let mut words = line.split([' ', ',']).skip_while(|word| *word != "host").skip(1);
    words.find(|word| !word.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_s_id_in_its_line() {
        assert_eq!(host_id("wasmcloud ready: host NABC lattice default").as_deref(), Some("NABC"));
        assert_eq!(host_id("wasmcloud ready: host NABC, lattice default").as_deref(), Some("NABC"));
        assert_eq!(host_id("wasmcloud ready:"), None);
    }
}
