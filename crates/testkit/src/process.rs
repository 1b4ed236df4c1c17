//! A started program under guard, with its output in a file.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use tempfile::TempDir;

use crate::watchdog::Watchdog;
use crate::{Launch, TestkitError, settled};

/// How long a process has to end after SIGTERM when its guard is dropped.
const DROP_GRACE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(10);
const TAIL_LINES: usize = 30;

/// A running program. Dropping it stops the program (SIGTERM, then SIGKILL) and whatever of its group is left.
pub struct Process {
    name: String,
    child: Child,
    pid: Pid,
    log: PathBuf,
    status: Option<ExitStatus>,
    _watchdog: Watchdog,
    _log_dir: Option<TempDir>,
}

impl Process {
    /// Starts the program in a process group of its own, with standard output and error in one file and no input.
    ///
    /// # Errors
    /// `Spawn`, or `Io` when the log file cannot be made.
    pub fn spawn(launch: Launch) -> Result<Self, TestkitError> {
        let name =
            launch.program.file_name().unwrap_or(launch.program.as_os_str()).to_string_lossy().into_owned();
        let (log, log_dir) = log_file(launch.log, &name)?;
        let append = |file: &PathBuf| OpenOptions::new().append(true).open(file);
        let output = append(&log).map_err(TestkitError::io("open", &log))?;
        let errors = output.try_clone().map_err(TestkitError::io("open", &log))?;

        let mut command = Command::new(&launch.program);
        command.args(&launch.args).envs(launch.env);
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        if let Some(dir) = &launch.dir {
            command.current_dir(dir);
        }
        let failed = |source| TestkitError::Spawn { program: launch.program.display().to_string(), source };
        let mut child = command.spawn().map_err(failed)?;
        let watchdog = match Watchdog::over(child.id()) {
            Ok(watchdog) => watchdog,
            Err(source) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(TestkitError::Spawn { program: "sh".to_owned(), source });
            }
        };
        let pid = Pid::from_child(&child);
        Ok(Self { name, child, pid, log, status: None, _watchdog: watchdog, _log_dir: log_dir })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// All it has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The exit status, when it has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            // An error would mean that somebody else has reaped it, which nobody can.
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// The first complete line of its output, from the start, that contains `text`.
    ///
    /// # Errors
    /// `Exited` when it ended without that line, `Deadline` after `within`; both with the end of its output.
    ///
    /// # Cancellation
    /// Safe; the process goes on.
    pub async fn wait_for_line(&mut self, text: &str, within: Duration) -> Result<String, TestkitError> {
        let end = Instant::now() + within;
        loop {
            // Asked before the output is read, so that a last line before the end is not missed.
            let exited = self.exited();
            let output = self.output();
            let complete = output.rfind('\n').map_or("", |last| &output[..last]);
            if let Some(line) = complete.lines().find(|line| line.contains(text)) {
                return Ok(line.to_owned());
            }
            let awaited = format!("{} said \"{text}\"", self.name);
            if let Some(status) = exited {
                let (program, status) = (self.name.clone(), status.to_string());
                return Err(TestkitError::Exited { program, status, awaited, tail: self.tail() });
            }
            if Instant::now() >= end {
                let tail = format!("; its last output:\n{}", self.tail());
                return Err(TestkitError::Deadline { awaited, within, tail });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// `Deadline` when it still runs after `within`.
    ///
    /// # Cancellation
    /// Safe; the process goes on.
    pub async fn wait(&mut self, within: Duration) -> Result<ExitStatus, TestkitError> {
        let end = Instant::now() + within;
        loop {
            if let Some(status) = self.exited() {
                return Ok(status);
            }
            if Instant::now() >= end {
                let tail = format!("; its last output:\n{}", self.tail());
                return Err(TestkitError::Deadline { awaited: format!("{} ended", self.name), within, tail });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Errors
    /// `Deadline` when it still runs after `within`; dropping the guard then kills it.
    pub async fn stop(&mut self, within: Duration) -> Result<ExitStatus, TestkitError> {
        self.signal(Signal::TERM);
        self.wait(within).await
    }

    /// Sends the signal of Ctrl-C.
    pub fn interrupt(&mut self) {
        self.signal(Signal::INT);
    }

    /// Asks it to end (SIGTERM) without waiting.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
    }

    /// Freezes it (SIGSTOP): its sockets stay open, and nothing answers. It stands still when this returns: a thread that runs
    /// on another processor goes on for a moment after the signal was sent.
    pub fn pause(&mut self) {
        if self.exited().is_none() && kill_process(self.pid, Signal::STOP).is_ok() {
            let stopped_or_ended = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let _ = waitid(WaitId::Pid(self.pid), stopped_or_ended);
        }
    }

    /// Lets a frozen one go on.
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Ends it and its group at once (SIGKILL), as a crash would.
    pub fn kill(&mut self) {
        // The group has our child as its leader, so a failure means that nothing of it is left.
        let _ = kill_process_group(self.pid, Signal::KILL);
        if self.status.is_none() {
            self.status = self.child.wait().ok();
        }
    }

    fn signal(&mut self, signal: Signal) {
        // A process that has ended is reaped, and its id may belong to somebody else by now.
        if self.exited().is_none() {
            let _ = kill_process(self.pid, signal);
        }
    }

    fn tail(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        // Frozen processes get the signal only once they go on.
        self.signal(Signal::CONT);
        let _ = settled(DROP_GRACE, || self.exited().is_some());
        self.kill();
    }
}

/// An empty file for the output, and the temporary folder it is in if it is in one.
fn log_file(chosen: Option<PathBuf>, name: &str) -> Result<(PathBuf, Option<TempDir>), TestkitError> {
    let (file, dir) = match chosen {
        Some(file) => (file, None),
        None => {
            let dir = TempDir::new().map_err(TestkitError::io("make a folder in", std::env::temp_dir()))?;
            (dir.path().join(format!("{name}.log")), Some(dir))
        }
    };
    File::create(&file).map_err(TestkitError::io("create", &file))?;
    Ok((file, dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Process {
        Process::spawn(Launch::program("sh").args(["-c", script])).unwrap()
    }

    fn runs(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn finds_the_line_and_the_status() {
        let mut process = shell("echo one; echo two >&2; exit 3");
        assert_eq!(process.wait_for_line("tw", SOON).await.unwrap(), "two");
        assert_eq!(process.wait(SOON).await.unwrap().code(), Some(3));
    }

    #[tokio::test]
    async fn an_end_without_the_line_is_told_with_the_output() {
        let mut process = shell("echo no such luck; exit 7");
        let error = process.wait_for_line("ready", SOON).await.unwrap_err().to_string();
        assert!(error.contains("exit status: 7") && error.contains("no such luck"), "{error}");
    }

    #[tokio::test]
    async fn a_missed_deadline_is_told_with_the_output() {
        let mut process = shell("echo busy; sleep 60");
        process.wait_for_line("busy", SOON).await.unwrap();
        let error = process.wait_for_line("ready", Duration::from_millis(1)).await.unwrap_err().to_string();
        assert!(error.contains("sh said \"ready\"") && error.contains("busy"), "{error}");
    }

    #[tokio::test]
    async fn dropping_stops_the_children_too() {
        let mut process = shell("sleep 60 & echo child $!; wait");
        let line = process.wait_for_line("child", SOON).await.unwrap();
        let child = line.trim_start_matches("child ").to_owned();
        assert!(runs(&child));
        drop(process);
        assert!(settled(SOON, || !runs(&child)), "the child outlived its guard");
    }

    #[tokio::test]
    async fn a_killed_owner_leaves_nothing_running() {
        // The watchdog acts on the end of its input, which is what a killed owner looks like to it.
        let mut process = shell("sleep 60 & echo child $!; wait");
        let line = process.wait_for_line("child", SOON).await.unwrap();
        let child = line.trim_start_matches("child ").to_owned();
        process._watchdog.lose_owner();
        process.wait(SOON).await.unwrap();
        assert!(settled(SOON, || !runs(&child)), "the child outlived its owner");
    }
}
