//! A data folder, a port, and a host of one's own.

use std::{
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use lattice_testkit::{Launch, Process, Tools, free_port, until};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// What the script calls itself.
pub(crate) const HOST_ID: &str = "NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Runs until it is asked to stop, as a host does.
const HOST: &str = r#"#!/bin/sh
[ "$1" = --version ] && { echo "wasmcloud 0.0.1"; exit 0; }
echo "flags: $*" >&2
echo "creds: $WASMCLOUD_NATS_CREDS" >&2
trap 'echo "host stops in order" >&2; exit 0' TERM INT
echo "wasmcloud ready: host NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA lattice default name script nats x"
while :; do sleep 0.05; done
"#;

pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
    pub(crate) nats_server: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let nats_server = Tools::of_workspace().nats_server(None, &mut |line| eprintln!("{line}")).unwrap();
        let place = Self { dir: TempDir::new().unwrap(), port: free_port().unwrap(), nats_server };
        place.host_is(HOST);
        place
    }

    /// Another script in the place of the host.
    pub(crate) fn host_is(&self, script: &str) {
        std::fs::write(self.host(), script).unwrap();
        std::fs::set_permissions(self.host(), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn host(&self) -> PathBuf {
        self.dir.path().join("wasmcloud")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn launch(&self, args: &[&str]) -> Launch {
        let mut launch = Launch::program(env!("CARGO_BIN_EXE_wash")).args(args);
        for name in ["WASMCLOUD_NATS_URL", "WASMCLOUD_TRUST", "WASMCLOUD_OPEN", "WASH_CONTEXT"] {
            // The tests' own surroundings must not steer the lattice; an empty list trusts nobody more.
            assert!(std::env::var_os(name).is_none(), "{name} is set");
        }
        launch = launch.env("WASMCLOUD_DATA_DIR", self.data()).env("WASH_KEYS", self.dir.path().join("keys"));
        launch.env("WASH_CONTEXTS", self.dir.path().join("contexts"))
    }

    /// `wash up` with `args`, started.
    pub(crate) fn up(&self, args: &[&str]) -> Process {
        let port = self.port.to_string();
        let launch = self.launch(&["up", "--nats-port", &port]);
        let launch = launch.arg("--nats-server").arg(&self.nats_server).arg("--wasmcloud").arg(self.host());
        Process::spawn(launch.args(args)).unwrap()
    }

    /// The output and exit code of `wash` with `args`.
    pub(crate) async fn wash(&self, args: &[&str]) -> (i32, String) {
        let mut process = Process::spawn(self.launch(args)).unwrap();
        let status = process.wait(PATIENCE).await.unwrap();
        (status.code().unwrap(), process.output())
    }

    pub(crate) fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    pub(crate) async fn until_silent(&self) {
        until("NATS is gone", PATIENCE, || async { (!self.answers()).then_some(()) }).await.unwrap();
    }

    /// The records of what runs.
    pub(crate) fn records(&self) -> Vec<Value> {
        let Ok(entries) = std::fs::read_dir(self.data().join("up")) else { return Vec::new() };
        let files = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension() == Some("json".as_ref()));
        files.map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).collect()
    }

    /// The process id of what plays `role`.
    pub(crate) fn pid(&self, role: &str) -> u64 {
        let records = self.records();
        let record = records.iter().find(|record| record["role"] == role);
        record.unwrap_or_else(|| panic!("no {role} in {records:?}"))["pid"].as_u64().unwrap()
    }
}

/// Whether a process of that id runs.
pub(crate) fn runs(pid: u64) -> bool {
    // A killed child whose parent has not asked for its end yet has no command line any more.
    std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).is_ok_and(|line| !line.is_empty())
}
