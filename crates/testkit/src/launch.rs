//! What to start, before it is started.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Process, TestkitError, binary};

/// A program with its arguments and surroundings, and the line that says that it is ready.
#[derive(Debug, Clone)]
pub struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) log: Option<PathBuf>,
    pub(crate) ready: Option<(String, Duration)>,
}

impl Launch {
    /// The program at `program`, or of that name on `PATH`.
    pub fn program(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), args: Vec::new(), env: Vec::new(), dir: None, log: None, ready: None }
    }

    /// One of the project's own binaries, as it was built last: `wasmcloud`, `wash`.
    ///
    /// # Errors
    /// `Missing` when it has not been built.
    pub fn binary(name: &str) -> Result<Self, TestkitError> {
        Ok(Self::program(binary(name)?))
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable of the program; the others are inherited.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Runs it in this folder.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Puts its output into this file, emptied first, instead of into a temporary one.
    #[must_use]
    pub fn log(mut self, file: impl Into<PathBuf>) -> Self {
        self.log = Some(file.into());
        self
    }

    /// The program is started when a line of its output contains `text`, which has to be within `within`.
    #[must_use]
    pub fn ready(mut self, text: impl Into<String>, within: Duration) -> Self {
        self.ready = Some((text.into(), within));
        self
    }

    /// Starts it, and waits until it is ready if [`ready`](Self::ready) said what that means.
    ///
    /// # Errors
    /// `Spawn`, `Io` on the log file, `Exited` or `Deadline` while waiting; then the process is stopped again.
    ///
    /// # Cancellation
    /// Dropping the future stops the process.
    pub async fn start(self) -> Result<Process, TestkitError> {
        let ready = self.ready.clone();
        let mut process = Process::spawn(self)?;
        if let Some((text, within)) = ready {
            process.wait_for_line(&text, within).await?;
        }
        Ok(process)
    }
}
