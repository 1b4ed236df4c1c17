//! A started process: its output, its end, and stopping it.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{ChildStderr, ChildStdout, Command},
    task::JoinSet,
};

use super::{Slot, watchdog::Watchdog};

/// How much of the end of a log is shown when a process ends too early.
const TAIL_LINES: usize = 15;
const TAIL_BYTES: usize = 16 * 1024;
/// The longest first line of a process that is read.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Where a process's log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logs {
    /// Into the slot's log file.
    File,
    /// To our standard error, as it comes.
    Shown,
}

/// A running process of ours. Dropped without [`stop`](Self::stop) or [`leave`](Self::leave), its watchdog stops it.
#[derive(Debug)]
pub(crate) struct Child {
    child: tokio::process::Child,
    pid: u32,
    tail: Tail,
    copying: JoinSet<()>,
    watchdog: Option<Watchdog>,
}

impl Child {
    /// Starts `command` in `slot`, which it holds as long as it lives.
    ///
    /// It gets a process group of its own, so that a Ctrl-C in the terminal reaches only us, who then stop all in order.
    pub(crate) fn start(mut command: Command, stdout: Stdio, slot: &Slot, logs: Logs) -> io::Result<Child> {
        let log = slot.log();
        command.stdin(slot.stdin()?).stdout(stdout).process_group(0);
        match logs {
            Logs::File => command.stderr(std::fs::File::create(&log)?),
            Logs::Shown => command.stderr(Stdio::piped()),
        };
        let mut child = command.spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("it ended at once"))?;
        let mut copying = JoinSet::new();
        let tail = match child.stderr.take() {
            Some(stderr) => {
                let tail = Arc::new(Mutex::new(VecDeque::new()));
                copying.spawn(show(stderr, Arc::clone(&tail)));
                Tail::Shown(tail)
            }
            None => Tail::File(log),
        };
        let watchdog = Watchdog::over(pid)?;
        Ok(Child { child, pid, tail, copying, watchdog: Some(watchdog) })
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The log file, if it has one.
    pub(crate) fn log(&self) -> Option<&Path> {
        match &self.tail {
            Tail::File(path) => Some(path),
            Tail::Shown(_) => None,
        }
    }

    /// Its standard output, once, if it is a pipe.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits until it ends. Cancel-safe.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// The last lines of its log, one indented line each; empty if it said nothing.
    pub(crate) fn last_lines(&self) -> String {
        let text = self.tail.read();
        let lines: Vec<_> = text.lines().collect();
        let from = lines.len().saturating_sub(TAIL_LINES);
        lines[from..].iter().map(|line| format!("\n  {line}")).collect()
    }

    /// Asks it to stop, and kills it after `patience`. True if it stopped by itself.
    pub(crate) async fn stop(mut self, patience: Duration) -> bool {
        self.ask();
        let stopped = tokio::time::timeout(patience, self.child.wait()).await.is_ok();
        if !stopped {
            // It may have ended just now.
            let _ = self.child.kill().await;
        }
        self.finish().await;
        stopped
    }

    /// Waits for the last of what it said, after its end.
    pub(crate) async fn finish(&mut self) {
        // A process of its own that it left behind may hold the pipe open.
        let _ = tokio::time::timeout(Duration::from_secs(1), async {
            while self.copying.join_next().await.is_some() {}
        })
        .await;
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.call_off();
        }
    }

    /// Asks it to stop; asked twice, a host stops at once.
    pub(crate) fn ask(&self) {
        let running = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = running {
            // Gone in this very moment is as good.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Leaves it running.
    pub(crate) fn leave(mut self) {
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.call_off();
        }
    }
}

/// The first line that `out` says, without its end; `None` if it ends before.
pub(super) async fn first_line(out: ChildStdout) -> Option<String> {
    let mut line = String::new();
    let read = BufReader::new(out.take(LINE_BYTES_MAX)).read_line(&mut line).await;
    match read {
        Ok(1..) => Some(line.trim_end().to_owned()),
        Ok(0) | Err(_) => None,
    }
}

#[derive(Debug)]
enum Tail {
    File(PathBuf),
    Shown(Arc<Mutex<VecDeque<u8>>>),
}

impl Tail {
    fn read(&self) -> String {
        let bytes = match self {
            Tail::File(path) => end_of(path).unwrap_or_default(),
            Tail::Shown(tail) => {
                tail.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
            }
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn end_of(path: &Path) -> io::Result<Vec<u8>> {
    use io::{Read as _, Seek as _, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let back = file.metadata()?.len().saturating_sub(TAIL_BYTES as u64);
    file.seek(SeekFrom::Start(back))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Copies what a process says to our standard error, and keeps the end of it.
async fn show(mut from: ChildStderr, tail: Arc<Mutex<VecDeque<u8>>>) {
    let mut stderr = tokio::io::stderr();
    while let Some(bytes) = read_some(&mut from).await {
        {
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.extend(&bytes);
            let over = tail.len().saturating_sub(TAIL_BYTES);
            tail.drain(..over);
        }
        // Without standard error there is nobody to show it to; the process must not block on us all the same.
        let _ = stderr.write_all(&bytes).await;
        let _ = stderr.flush().await;
    }
}

async fn read_some(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 8 * 1024];
    let count = from.read(&mut bytes).await.ok().filter(|count| *count > 0)?;
    bytes.truncate(count);
    Some(bytes)
}
