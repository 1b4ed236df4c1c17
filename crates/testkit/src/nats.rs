//! A NATS server of the test's own, with JetStream, on loopback.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Launch, Process, TestkitError, Tools};

const READY_WITHIN: Duration = Duration::from_secs(20);
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// What differs between the servers of different tests.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// Whether JetStream is on.
    pub jetstream: bool,
    /// More lines for the configuration file.
    pub config: String,
    /// The program; without one, [`Tools::nats_server`] finds it.
    pub program: Option<PathBuf>,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self { jetstream: true, config: String::new(), program: None }
    }
}

/// A running nats-server. It keeps its port and its store over [`restart`](Self::restart); both go when it is dropped.
pub struct NatsServer {
    program: PathBuf,
    options: NatsOptions,
    port: u16,
    dir: TempDir,
    process: Option<Process>,
}

impl NatsServer {
    /// A server with JetStream on a free port.
    ///
    /// # Errors
    /// `Missing` when there is no nats-server and none could be fetched; `Exited` and `Deadline` with its last output.
    ///
    /// # Cancellation
    /// Dropping the future stops the server.
    pub async fn start() -> Result<Self, TestkitError> {
        Self::start_with(NatsOptions::default()).await
    }

    /// A server as `options` say, on a free port.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(options: NatsOptions) -> Result<Self, TestkitError> {
        let mut say = |line: &str| eprintln!("{line}");
        let program = Tools::of_workspace().nats_server(options.program.as_deref(), &mut say)?;
        let dir = TempDir::new().map_err(TestkitError::io("make a folder in", std::env::temp_dir()))?;
        let mut server = Self { program, options, port: 0, dir, process: None };
        server.launch().await?;
        Ok(server)
    }

    /// `nats://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port, the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process, while the server runs.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// Freezes it: connections stay open, nothing is answered.
    pub fn pause(&mut self) {
        self.process.iter_mut().for_each(Process::pause);
    }

    /// Lets a frozen one go on.
    pub fn resume(&mut self) {
        self.process.iter_mut().for_each(Process::resume);
    }

    /// Ends it in order; its store stays for a restart.
    ///
    /// # Errors
    /// `Deadline` when it does not end; then it is killed.
    pub async fn stop(&mut self) -> Result<(), TestkitError> {
        match self.process.take() {
            Some(mut process) => process.stop(STOP_WITHIN).await.map(drop),
            None => Ok(()),
        }
    }

    /// Ends it at once, as a crash would; its store stays as it is.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Starts it again on the same port with the same store, having stopped it first when it still runs.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), TestkitError> {
        self.stop().await?;
        self.launch().await
    }

    /// Other lines for the configuration file, from the next start on.
    pub fn configure(&mut self, config: impl Into<String>) {
        self.options.config = config.into();
    }

    /// Throws its JetStream store away, as a lost disk would. It has to be stopped.
    ///
    /// # Errors
    /// `Io` when the folder cannot be removed.
    pub fn wipe_store(&self) -> Result<(), TestkitError> {
        let store = self.dir.path().join("store");
        match std::fs::remove_dir_all(&store) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(TestkitError::Io { action: "remove", path: store, source: error })
            }
            _ => Ok(()),
        }
    }

    /// Copies its JetStream store, as a backup would. It has to be stopped.
    ///
    /// # Errors
    /// `Io` when a file cannot be copied.
    pub fn copy_store(&self) -> Result<TempDir, TestkitError> {
        let backup = TempDir::new().map_err(TestkitError::io("make a folder in", std::env::temp_dir()))?;
        copy_folder(&self.dir.path().join("store"), backup.path())?;
        Ok(backup)
    }

    /// Puts a copy of its JetStream store in the place of the store. It has to be stopped.
    ///
    /// # Errors
    /// `Io` when a file cannot be copied or removed.
    pub fn put_store_back(&self, backup: &TempDir) -> Result<(), TestkitError> {
        self.wipe_store()?;
        copy_folder(backup.path(), &self.dir.path().join("store"))
    }

    async fn launch(&mut self) -> Result<(), TestkitError> {
        let file = self.dir.path().join("nats.conf");
        std::fs::write(&file, self.config()).map_err(TestkitError::io("write", &file))?;
        let launch =
            Launch::program(&self.program).arg("-c").arg(file).ready("Server is ready", READY_WITHIN);
        let mut process = launch.start().await?;
        let listening = process.wait_for_line("Listening for client connections on", READY_WITHIN).await?;
        if let Some(port) = listening.rsplit(':').next().and_then(|port| port.trim().parse().ok()) {
            self.port = port;
        }
        self.process = Some(process);
        Ok(())
    }

    fn config(&self) -> String {
        // Port -1 is "any"; from the second start on it is the one of the first.
        let port = if self.port == 0 { -1 } else { i32::from(self.port) };
        let store = self.dir.path().join("store");
        let jetstream = match self.options.jetstream {
            true => format!("jetstream {{ store_dir: {store:?}, max_mem: 256M, max_file: 4G }}\n"),
            false => String::new(),
        };
        // Silent clients are noticed within 3 s, as with the broker settings that the project ships.
        let common = "host: \"127.0.0.1\"\nping_interval: \"1s\"\nping_max: 2\n";
        format!("port: {port}\n{common}{jetstream}{}\n", self.options.config)
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), TestkitError> {
    std::fs::create_dir_all(to).map_err(TestkitError::io("make", to))?;
    for entry in std::fs::read_dir(from).map_err(TestkitError::io("read", from))? {
        let source = entry.map_err(TestkitError::io("read", from))?.path();
        let target = to.join(source.file_name().unwrap_or_default());
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            std::fs::copy(&source, &target).map_err(TestkitError::io("copy", &source))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::net::TcpStream;

    use super::*;

    async fn greeting(server: &NatsServer) -> String {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        BufReader::new(stream).lines().next_line().await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_server_keeps_its_port_over_stop_kill_and_restart() {
        let mut server = NatsServer::start().await.unwrap();
        let port = server.port();
        assert!(greeting(&server).await.contains("\"jetstream\":true"));
        server.kill();
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
        server.wipe_store().unwrap();
        server.restart().await.unwrap();
        assert_eq!(server.port(), port);
        server.restart().await.unwrap();
        assert!(greeting(&server).await.starts_with("INFO "));
        server.stop().await.unwrap();
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    }

    #[tokio::test]
    async fn a_frozen_server_answers_again_when_it_may_go_on() {
        let mut server =
            NatsServer::start_with(NatsOptions { jetstream: false, ..NatsOptions::default() }).await.unwrap();
        server.pause();
        // The system still accepts the connection; the greeting does not come.
        assert!(tokio::time::timeout(Duration::from_millis(200), greeting(&server)).await.is_err());
        server.resume();
        assert!(!greeting(&server).await.contains("\"jetstream\":true"));
    }
}
