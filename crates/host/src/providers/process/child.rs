//! One process of a provider: started with nothing of the host's but what it needs, and ended with all that it started.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use lattice_core::ProviderId;
use lattice_provider_sdk::wire::HostData;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    io::AsyncWriteExt as _,
    process::{ChildStdin, Command},
};
use tokio_util::task::TaskTracker;

use super::{
    binary::Binary,
    output::{Tail, copy},
};

/// How long a process may take to read its first line.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// How long its last words may take to get here after its end; something that it started may hold the pipe.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(300);
/// A file that was written a moment ago may be held by another process that is just being started.
const BUSY_TRIES: u32 = 40;
const BUSY_PAUSE: Duration = Duration::from_millis(25);

/// Dropping it kills the process.
pub(super) struct Child {
    process: tokio::process::Child,
    pid: Option<Pid>,
    output: TaskTracker,
    tail: Tail,
}

/// The open end of a process's standard input: as long as it is there, the process knows that its host lives.
pub(super) struct Lifeline(ChildStdin);

impl Lifeline {
    /// Writes a further line.
    pub(super) async fn write(&mut self, line: &str) -> io::Result<()> {
        let write = async {
            self.0.write_all(line.as_bytes()).await?;
            self.0.flush().await
        };
        tokio::time::timeout(READ_WITHIN, write).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

impl Child {
    /// Starts the program, and tells it who it is. Its output goes to the log.
    pub(super) async fn spawn(
        id: &ProviderId,
        binary: &Binary,
        data: &HostData,
    ) -> Result<(Self, Lifeline), String> {
        let path = binary.path.display();
        let mut process = started(binary).await.map_err(|error| format!("{path} does not start: {error}"))?;
        let (tail, output) = (Tail::default(), TaskTracker::new());
        if let Some(out) = process.stdout.take() {
            output.spawn(copy(id.clone(), "stdout", out, tail.clone()));
        }
        if let Some(err) = process.stderr.take() {
            output.spawn(copy(id.clone(), "stderr", err, tail.clone()));
        }
        let pid = process.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let input = process.stdin.take().ok_or("it has no standard input")?;
        let (mut child, mut lifeline) = (Self { process, pid, output, tail }, Lifeline(input));
        let line =
            data.line().map_err(|error| format!("what it is to be told cannot be written: {error}"))?;
        match lifeline.write(&line).await {
            Ok(()) => Ok((child, lifeline)),
            // One that has ended says why itself.
            Err(error) => match tokio::time::timeout(LAST_WORDS_WITHIN, child.ended()).await {
                Ok(why) => Err(why),
                Err(_) => {
                    child.kill();
                    Err(format!("{path} does not read its standard input: {error}"))
                }
            },
        }
    }

    /// Waits for its end, and says how it came, with its last words. Cancel-safe.
    pub(super) async fn ended(&mut self) -> String {
        let status = self.process.wait().await;
        // What it started must not outlive it.
        self.kill();
        self.output.close();
        let _all_said = tokio::time::timeout(LAST_WORDS_WITHIN, self.output.wait()).await;
        let how = status.map_or_else(|error| format!("is out of sight: {error}"), how);
        match self.tail.last() {
            Some(last) => format!("{how}; it said: {last}"),
            None => how,
        }
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        if let Some(pid) = self.pid {
            // It fails where the process has ended, which is what was wanted.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Ends it, and all that it started and that did not go its own way.
    pub(super) fn kill(&self) {
        if let Some(pid) = self.pid {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

async fn started(binary: &Binary) -> io::Result<tokio::process::Child> {
    let mut tries = 0;
    loop {
        match command(binary).spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES => {
                tries += 1
            }
            outcome => return outcome,
        }
        tokio::time::sleep(BUSY_PAUSE).await;
    }
}

/// Nothing of the host's environment but what is about logs and traces; in a process group of its own, so that a Ctrl-C for the
/// host is the host's.
fn command(binary: &Binary) -> Command {
    let handed_on = |name: &str| name == "RUST_LOG" || name.starts_with("OTEL_");
    let environment = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(handed_on));
    let mut command = Command::new(&binary.path);
    command
        .env_clear()
        .envs(environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(0), _) => "ended by itself".to_owned(),
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => format!("ended: {status}"),
    }
}
