//! A host as a process of its own.

use std::ffi::OsString;
use std::time::Duration;

use tempfile::TempDir;

use crate::{Launch, Process, TestkitError};

/// How long a host may take until it is ready, on a busy machine with a debug build.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running `wasmcloud`, with a data folder of its own. Dropping it stops the host and what it started.
pub struct Host {
    /// The process, to be watched, paused, stopped or killed.
    pub process: Process,
    launch: Launch,
    data_dir: TempDir,
}

impl Host {
    /// What a host prints once it serves.
    pub const READY: &str = "wasmcloud ready";

    /// Starts a host on the NATS server at `nats_url`, with more arguments and environment, and waits until it is ready.
    ///
    /// # Errors
    /// `Missing` when the binary is not built; `Exited` and `Deadline` with the host's last output.
    ///
    /// # Cancellation
    /// Dropping the future stops the host.
    pub async fn start(
        nats_url: &str,
        args: impl IntoIterator<Item = impl Into<OsString>>,
        env: &[(&str, &str)],
    ) -> Result<Self, TestkitError> {
        let data_dir = TempDir::new().map_err(TestkitError::io("make a folder in", std::env::temp_dir()))?;
        let mut launch = Launch::binary("wasmcloud")?.args(["--nats-url", nats_url, "--data-dir"]);
        launch = launch.arg(data_dir.path()).args(args).ready(Self::READY, READY_WITHIN);
        // Most tests are about something else than credentials.
        launch = launch.env("WASMCLOUD_OPEN", "true");
        for (name, value) in env {
            launch = launch.env(name, value);
        }
        Ok(Self { process: launch.clone().start().await?, launch, data_dir })
    }

    /// Starts it again as [`again`](Self::again) does, and does not wait: it may have nothing to be ready for.
    ///
    /// # Errors
    /// `Spawn`, or `Io` on its log file.
    pub fn again_at_once(&mut self) -> Result<(), TestkitError> {
        self.process = Process::spawn(self.launch.clone())?;
        Ok(())
    }

    /// Starts it again with the same data folder and arguments, and more of them, and waits until it is ready. The one that
    /// ran has to be stopped or killed.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    ///
    /// # Cancellation
    /// As [`start`](Self::start).
    pub async fn again(&mut self, args: &[&str]) -> Result<(), TestkitError> {
        self.process = self.launch.clone().args(args.iter().copied()).start().await?;
        Ok(())
    }

    /// The host's data folder, which goes with it.
    #[must_use]
    pub fn data_dir(&self) -> &std::path::Path {
        self.data_dir.path()
    }
}
