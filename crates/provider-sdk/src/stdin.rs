//! Standard input: who we are, and as long as it is open, that the host lives.

use std::{
    io::{self, BufRead, Read as _},
    time::Duration,
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    RunError,
    wire::{HOST_DATA_BYTES_MAX, HostData},
};

/// How long a host may take to write the first line.
const FIRST_WITHIN: Duration = Duration::from_secs(30);
/// Lines that wait to be taken; more than a host ever has under way.
const LINES_MAX: usize = 8;

/// The lines of standard input, read by a thread of its own: a read cannot be broken off.
pub(crate) struct Input {
    lines: mpsc::Receiver<String>,
    /// Cancelled when the input has ended.
    ended: CancellationToken,
}

impl Input {
    /// Begins to read.
    pub(crate) fn open() -> Result<Self, RunError> {
        let (sender, lines) = mpsc::channel(LINES_MAX);
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        let reading = move || {
            let _ends = guard;
            let mut input = io::stdin().lock();
            while let Ok(Some(line)) = line(&mut input) {
                // Nobody takes them any more: the process ends.
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        };
        // It ends with the process: a read of standard input waits for nobody else.
        std::thread::Builder::new().name("stdin".to_owned()).spawn(reading).map_err(|error| {
            RunError::System { what: "start a thread that reads", why: error.to_string() }
        })?;
        Ok(Self { lines, ended })
    }

    /// The first line.
    pub(crate) async fn host_data(&mut self) -> Result<HostData, RunError> {
        let input = |why: &str| RunError::Input(why.to_owned());
        let first = tokio::time::timeout(FIRST_WITHIN, self.lines.recv()).await;
        let line = first.map_err(|_| input("nothing came for 30 s"))?;
        Ok(HostData::read(&line.ok_or_else(|| input("it ended"))?)?)
    }

    /// A further line; none when there will be none. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.lines.recv().await
    }

    /// Cancelled when the input has ended, and with it the host, where the host said that it would.
    pub(crate) fn lifeline(&self, data: &HostData) -> CancellationToken {
        if data.lifeline { self.ended.clone() } else { CancellationToken::new() }
    }
}

/// One line; none at the end. One that is too long is an error.
fn line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let most = HOST_DATA_BYTES_MAX as u64 + 2;
    let read = input.by_ref().take(most).read_line(&mut line)?;
    match (read, line.ends_with('\n')) {
        (0, _) => Ok(None),
        (_, false) if read as u64 == most => Err(io::Error::other("a line is too long")),
        _ => Ok(Some(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_and_without_an_end_and_none_that_is_endless() {
        let mut input = &b"one\r\ntwo"[..];
        assert_eq!(line(&mut input).unwrap().as_deref(), Some("one\r\n"));
        assert_eq!(line(&mut input).unwrap().as_deref(), Some("two"));
        assert_eq!(line(&mut input).unwrap(), None);
        let endless = io::repeat(b'a');
        assert!(line(&mut io::BufReader::new(endless)).is_err());
    }
}
