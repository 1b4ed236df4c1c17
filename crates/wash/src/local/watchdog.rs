//! Stops what we started when we are killed without having stopped it.
//!
//! The watchdog is a shell that reads from a pipe whose other end only we hold: the system closes it when we end, however
//! we end, and then the shell asks the others to stop.

use std::{
    io::{self, Write},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
};

/// A line read: it is stopped, or is to stay. End of file: we are gone.
const SCRIPT: &str = r#"
read -r line && exit 0
kill -s TERM "$1" 2>/dev/null || exit 0
tries=0
while [ "$tries" -lt 60 ] && kill -s 0 "$1" 2>/dev/null; do sleep 0.2; tries=$((tries + 1)); done
kill -s KILL "$1" 2>/dev/null
"#;

/// Watches over a process. Dropped without being called off, it stops the process in the background.
#[derive(Debug)]
pub(super) struct Watchdog(Option<Child>);

impl Watchdog {
    /// Watches over the process `pid`.
    pub(super) fn over(pid: u32) -> io::Result<Watchdog> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "wash-watchdog", &pid.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Its own group: a Ctrl-C in the terminal must not end it before its work is done.
        command.process_group(0).spawn().map(|shell| Watchdog(Some(shell)))
    }

    /// Leaves the process alone, running or not.
    pub(super) fn call_off(mut self) {
        let Some(mut shell) = self.0.take() else { return };
        if let Some(mut pipe) = shell.stdin.take() {
            // If the shell is gone there is nothing to call off.
            let _ = pipe.write_all(b"done\n");
        }
        let _ = shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_goes_when_its_owner_is_gone_and_stays_when_called_off() {
        let mut sleeper = Command::new("sleep").arg("60").spawn().unwrap();
        Watchdog::over(sleeper.id()).unwrap().call_off();
        assert!(sleeper.try_wait().unwrap().is_none(), "called off");
        // Closes the pipe, as the system does when we are killed.
        drop(Watchdog::over(sleeper.id()).unwrap());
        assert!(!sleeper.wait().unwrap().success());
    }
}
