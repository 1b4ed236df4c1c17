//! One process of a provider: started with nothing of the host's but what it needs, and ended with all that it started.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use lattice_core::ProviderId;
use lattice_provider_sdk::wire::HostData;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use tokio::{
    io::AsyncWriteExt as _,
    process::{ChildStdin, Command},
    signal::unix::{SignalKind, signal},
    time::{Instant, timeout_at},
};
use tokio_util::task::TaskTracker;

use super::{
    binary::Binary,
    confine::{BUSY_PAUSE, BUSY_TRIES, Confinement},
    output::{Tail, copy},
};

/// How long a process may take to read its first line.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// How long its last words may take to get here after its end; something that it started may hold the pipe.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(300);

/// How often it is looked whether a process has ended, beside whenever the system says that one of ours has.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Dropping it kills the process, and all that it started and that did not go its own way.
pub(super) struct Child {
    process: tokio::process::Child,
    /// None once its end has been taken note of: then the system may give its number to another.
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
        confinement: Option<&Confinement>,
        data: &HostData,
    ) -> Result<(Self, Lifeline), String> {
        let path = binary.path.display();
        let mut process =
            started(binary, confinement).await.map_err(|error| format!("{path} does not start: {error}"))?;
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
        self.has_ended().await;
        // What it started must not outlive it. Until its end is taken note of its number is nobody else's.
        self.kill();
        let status = self.process.wait().await;
        self.pid = None;
        self.output.close();
        let _all_said = tokio::time::timeout(LAST_WORDS_WITHIN, self.output.wait()).await;
        let how = status.map_or_else(|error| format!("is out of sight: {error}"), how);
        match self.tail.last() {
            Some(last) => format!("{how}; it said: {last}"),
            None => how,
        }
    }

    /// Waits until it has ended, and leaves it to the system as ended. Cancel-safe.
    async fn has_ended(&self) {
        let Some(pid) = self.pid else { return };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // Listens before it looks, so that no end is missed; without signals the looks alone find it.
        let mut ends = signal(SignalKind::child()).ok();
        while matches!(waitid(WaitId::Pid(pid), options), Ok(None)) {
            let next = Instant::now() + LOOK_EVERY;
            match &mut ends {
                Some(ends) => drop(timeout_at(next, ends.recv()).await),
                None => tokio::time::sleep_until(next).await,
            }
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

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn started(binary: &Binary, confinement: Option<&Confinement>) -> io::Result<tokio::process::Child> {
    let mut tries = 0;
    loop {
        match command(binary, confinement).spawn() {
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
fn command(binary: &Binary, confinement: Option<&Confinement>) -> Command {
    let handed_on = |name: &str| name == "RUST_LOG" || name.starts_with("OTEL_");
    let environment = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(handed_on));
    let program = binary.path.as_path();
    let mut command =
        confinement.map_or_else(|| Command::new(program), |confinement| confinement.command(program));
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

#[cfg(test)]
mod tests {
    use rustix::process::test_kill_process;

    use super::*;

    fn child(script: &str) -> Child {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let process = command.spawn().unwrap();
        let pid = process.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        Child { process, pid, output: TaskTracker::new(), tail: Tail::default() }
    }

    /// What the script says first: the number of what it started.
    async fn started_by(child: &mut Child) -> Pid {
        use tokio::io::{AsyncBufReadExt as _, BufReader};
        let mut line = String::new();
        BufReader::new(child.process.stdout.as_mut().unwrap()).read_line(&mut line).await.unwrap();
        Pid::from_raw(line.trim().parse().unwrap()).unwrap()
    }

    async fn is_gone(pid: Pid) {
        let end = Instant::now() + Duration::from_secs(10);
        // One that has ended and that nobody has taken note of yet is there, too.
        while test_kill_process(pid).is_ok() && !is_zombie(pid) {
            assert!(Instant::now() < end, "{pid:?} is still there");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn is_zombie(pid: Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
    }

    #[tokio::test]
    async fn what_a_process_started_ends_with_it_and_its_number_is_used_no_more() {
        let mut child = child("sleep 600 & echo $!; exit 3");
        let grandchild = started_by(&mut child).await;
        child.has_ended().await;
        let pid = child.pid.unwrap();
        assert!(test_kill_process(pid).is_ok(), "nobody has taken note of its end, so its number is its own");
        assert_eq!(child.ended().await, "ended with exit code 3");
        assert_eq!(child.pid, None, "nothing is sent to that number any more");
        is_gone(grandchild).await;
        assert_eq!(child.ended().await, "ended with exit code 3", "asked again it says the same");
    }

    #[tokio::test]
    async fn one_that_is_dropped_takes_what_it_started_along() {
        let mut child = child("sleep 600 & echo $!; sleep 600");
        let (own, grandchild) = (child.pid.unwrap(), started_by(&mut child).await);
        drop(child);
        is_gone(grandchild).await;
        is_gone(own).await;
    }
}
