//! Stops a process group when we ourselves are gone without having stopped it.
//!
//! A destructor does not run when a test is killed. The watchdog is a shell that reads from a pipe whose other end only
//! we hold: the system closes it when we end, however we end, and then the shell ends the group.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Line read: we stopped the group ourselves. End of file: we are gone.
const SCRIPT: &str = r#"
read -r line && exit 0
kill -s TERM -- "-$1" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 -- "-$1" 2>/dev/null || exit 0; sleep 0.2; done
kill -s KILL -- "-$1" 2>/dev/null
"#;

/// Watches over one process group until it is dropped.
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// Watches the group of `leader`.
    pub(crate) fn over(leader: u32) -> std::io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "watchdog", &leader.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Its own group: a Ctrl-C in the terminal must not reach it before it has done its work.
        Ok(Self { shell: command.process_group(0).spawn()? })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            // If the shell is gone already there is nothing to call off.
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
impl Watchdog {
    /// Closes the pipe as the system does when the owner is killed.
    pub(crate) fn lose_owner(&mut self) {
        self.shell.stdin = None;
    }
}
