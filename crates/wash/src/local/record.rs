//! Who runs: one record for each process that `wash up` started, true as long as a lock is held.
//!
//! A process gets its lock file as standard input, and the system lets go of the lock when the process is gone, however
//! it ended. So a held lock means that the process id in the record is still the one we started; without it the record is
//! of the past. Lock files are never removed, only locked anew: removing one would let two processes hold "the" lock.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// How often a process that is not our child is looked at while it stops.
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// The most processes of one kind in one data folder.
const SLOTS_MAX: u32 = 1024;

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Nats,
    Host,
}

/// A process that `wash up` started. Unknown fields are ignored, so that versions meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) role: Role,
    pub(crate) pid: u32,
    /// The server's own address, or the one the host was given.
    pub(crate) nats_url: String,
    /// Hosts only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lattice: Option<String>,
    /// Hosts only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host_id: Option<String>,
    /// Where its log goes, if not to a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<PathBuf>,
    /// Started with `-d`.
    #[serde(default)]
    pub(crate) detached: bool,
}

/// A place for one process, locked until nobody has the lock file open any more.
#[derive(Debug)]
pub(crate) struct Slot {
    folder: PathBuf,
    name: String,
    lock: File,
}

impl Slot {
    /// The slot called `name`; `None` if a process has it.
    pub(crate) fn take(folder: &Path, name: &str) -> io::Result<Option<Slot>> {
        // Logs of hosts and of actors are in it, and beside it keys.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = open_lock(folder, name)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Slot { folder: folder.to_owned(), name: name.to_owned(), lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The first free one of `{prefix}-0`, `{prefix}-1`, ….
    pub(crate) fn take_any(folder: &Path, prefix: &str) -> io::Result<Slot> {
        for number in 0..SLOTS_MAX {
            if let Some(slot) = Slot::take(folder, &format!("{prefix}-{number}"))? {
                return Ok(slot);
            }
        }
        Err(io::Error::other(format!("{SLOTS_MAX} of them run already")))
    }

    /// The standard input for the process, which holds the lock from then on.
    pub(crate) fn stdin(&self) -> io::Result<Stdio> {
        self.lock.try_clone().map(Stdio::from)
    }

    /// Where the process's log belongs.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// Writes who has the slot.
    pub(crate) fn write(&self, record: &Record) -> io::Result<()> {
        let (file, new) =
            (record_file(&self.folder, &self.name), self.folder.join(format!("{}.new", self.name)));
        std::fs::write(&new, serde_json::to_vec_pretty(record).map_err(io::Error::other)?)?;
        std::fs::rename(new, file)
    }
}

fn open_lock(folder: &Path, name: &str) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).read(true).open(folder.join(format!("{name}.lock")))
}

fn record_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// By itself, when asked.
    InOrder,
    /// It had to be killed.
    Killed,
    /// It does not even end when killed.
    StillThere,
}

/// A recorded process that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Living {
    folder: PathBuf,
    name: String,
    pub(crate) record: Record,
}

impl Living {
    /// All that run. Records of processes that are gone are removed on the way.
    pub(crate) fn all(folder: &Path) -> io::Result<Vec<Living>> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut living = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
            let (true, Some(name)) = (path.extension().is_some_and(|ending| ending == "json"), name) else {
                continue;
            };
            // A record that does not read is of another version, or was never finished; nothing can be said of it.
            let read = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let folder = folder.to_owned();
            match read.map(|record| Living { folder, name, record }) {
                Some(one) if one.runs()? => living.push(one),
                Some(_) => std::fs::remove_file(&path).or_else(gone)?,
                None => {}
            }
        }
        living.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(living)
    }

    /// Whether the process still runs.
    pub(crate) fn runs(&self) -> io::Result<bool> {
        match open_lock(&self.folder, &self.name)?.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Waits until the process is gone, at most `patience`.
    pub(crate) async fn gone_within(&self, patience: Duration) -> io::Result<bool> {
        let until = tokio::time::Instant::now() + patience;
        while self.runs()? {
            if tokio::time::Instant::now() >= until {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        std::fs::remove_file(record_file(&self.folder, &self.name)).or_else(gone)?;
        Ok(true)
    }

    /// Asks the process to stop, and kills it after `patience`.
    pub(crate) async fn stop(&self, patience: Duration) -> io::Result<Stopped> {
        self.signal(Signal::TERM)?;
        if self.gone_within(patience).await? {
            return Ok(Stopped::InOrder);
        }
        self.signal(Signal::KILL)?;
        let gone = self.gone_within(Duration::from_secs(2)).await?;
        Ok(if gone { Stopped::Killed } else { Stopped::StillThere })
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        // Looked at right before: while the lock is held the id cannot have passed to another process.
        let pid = i32::try_from(self.record.pid).ok().and_then(Pid::from_raw);
        match pid {
            Some(pid) if self.runs()? => match kill_process(pid, signal) {
                Err(rustix::io::Errno::SRCH) | Ok(()) => Ok(()),
                Err(error) => Err(error.into()),
            },
            _ => Ok(()),
        }
    }
}

fn gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn record(pid: u32) -> Record {
        let nats_url = "nats://127.0.0.1:4222".to_owned();
        Record { role: Role::Nats, pid, nats_url, lattice: None, host_id: None, log: None, detached: true }
    }

    #[tokio::test]
    async fn a_record_is_true_as_long_as_its_process_lives() {
        let folder = tempfile::tempdir().unwrap();
        let slot = Slot::take(folder.path(), "nats-1").unwrap().unwrap();
        let mut child = Command::new("sleep").arg("60").stdin(slot.stdin().unwrap()).spawn().unwrap();
        slot.write(&record(child.id())).unwrap();
        drop(slot);
        assert!(Slot::take(folder.path(), "nats-1").unwrap().is_none(), "the child holds it");
        let living = Living::all(folder.path()).unwrap();
        assert_eq!(living.len(), 1);
        // Reaped beside, as init would.
        let reaper = std::thread::spawn(move || child.wait());
        assert_eq!(living[0].stop(Duration::from_secs(10)).await.unwrap(), Stopped::InOrder);
        reaper.join().unwrap().unwrap();
        assert!(Living::all(folder.path()).unwrap().is_empty());
        assert!(Slot::take(folder.path(), "nats-1").unwrap().is_some());
    }

    #[tokio::test]
    async fn who_does_not_listen_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let slot = Slot::take_any(folder.path(), "host-default").unwrap();
        let script = "trap '' TERM; echo deaf; while :; do sleep 0.05; done";
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(slot.stdin().unwrap()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It has the lock file open too.
        drop(command);
        let mut said = [0; 5];
        io::Read::read_exact(&mut child.stdout.take().unwrap(), &mut said).unwrap();
        slot.write(&record(child.id())).unwrap();
        drop(slot);
        let living = Living::all(folder.path()).unwrap();
        let reaper = std::thread::spawn(move || child.wait());
        let stopped = living[0].stop(Duration::from_millis(200)).await.unwrap();
        assert_eq!(stopped, Stopped::Killed);
        reaper.join().unwrap().unwrap();
    }

    #[test]
    fn records_of_the_past_are_cleared_away() {
        let folder = tempfile::tempdir().unwrap();
        let slot = Slot::take(folder.path(), "nats-1").unwrap().unwrap();
        slot.write(&record(1)).unwrap();
        drop(slot);
        std::fs::write(folder.path().join("broken.json"), "{").unwrap();
        // Another test may be starting a program just now, which holds our files open until it has begun.
        let end = std::time::Instant::now() + Duration::from_secs(10);
        while !Living::all(folder.path()).unwrap().is_empty() && std::time::Instant::now() < end {
            std::thread::yield_now();
        }
        assert_eq!(Living::all(folder.path()).unwrap(), []);
        assert!(!folder.path().join("nats-1.json").exists());
        assert!(Living::all(&folder.path().join("nothing")).unwrap().is_empty());
    }
}
