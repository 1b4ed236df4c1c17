//! One quickstart of a checkout at a time: the second one would take the first one's folder, configuration and all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use anyhow::{Context, bail};

/// A folder held. The lock belongs to the open file: it goes with the process, however that ends.
#[derive(Debug)]
pub(super) struct Hold(File);

impl Hold {
    /// Takes `dir`, made if missing.
    ///
    /// # Errors
    /// When another process holds it, with what that one told of itself; or the file system refuses.
    pub(super) fn take(dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let path = dir.join("lock");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {
                // What the last one told is over.
                file.set_len(0).with_context(|| format!("cannot empty {}", path.display()))?;
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut told = String::new();
                file.read_to_string(&mut told).with_context(|| format!("cannot read {}", path.display()))?;
                const RUNS: &str = "a quickstart of this checkout runs already; use it, or stop it first (Ctrl-C where it runs)";
                match told.trim_end() {
                    "" => bail!("{RUNS}. It is still building; it prints its URLs when its actors answer"),
                    told => bail!("{RUNS}. Its actors:\n{told}"),
                }
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    /// Leaves word of where the actors are, for whoever finds the folder held.
    ///
    /// # Errors
    /// When the lock file cannot be written.
    pub(super) fn tell(&mut self, urls: &[(&'static str, String)]) -> anyhow::Result<()> {
        let text: String = urls.iter().map(|(actor, url)| format!("  {actor:<10} {url}\n")).collect();
        let mut write = || {
            self.0.set_len(0)?;
            self.0.rewind()?;
            self.0.write_all(text.as_bytes())
        };
        write().context("cannot write the lock file of the quickstart")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

    use super::*;

    #[test]
    fn the_second_is_told_where_the_first_is_and_the_next_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("quickstart");
        let mut first = Hold::take(&dir).unwrap();
        assert!(Hold::take(&dir).unwrap_err().to_string().contains("still building"));
        first.tell(&[("hello", "http://127.0.0.1:18080/a/longer/one".to_owned())]).unwrap();
        first.tell(&[("hello", "http://127.0.0.1:8080/hello".to_owned())]).unwrap();
        let refused = Hold::take(&dir).unwrap_err().to_string();
        assert!(refused.contains("runs already"), "{refused}");
        assert!(refused.ends_with("  hello      http://127.0.0.1:8080/hello"), "{refused}");
        drop(first);
        // Another test may be starting a program just now, which holds our files open until it has begun.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let next = std::iter::repeat_with(|| Hold::take(&dir))
            .find(|next| next.is_ok() || std::time::Instant::now() > end);
        let _next = next.unwrap().unwrap();
        assert!(!Hold::take(&dir).unwrap_err().to_string().contains("8080"), "that one is gone");
    }
}
