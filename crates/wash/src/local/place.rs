//! The data folder: the host's state, the store of a NATS server of our own, and what runs.

use std::path::{Path, PathBuf};

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
};

/// The data folder. The host's part of it is the host's own; ours are `nats/` and `up/`.
#[derive(Debug, Clone)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// The folder given, or the user's: the same that the host takes by itself. Absolute, so that children agree.
    pub(crate) fn resolve(given: Option<&Path>) -> Outcome<Place> {
        let folder = match given {
            Some(folder) => folder.to_owned(),
            None => user_data().ok_or_else(|| {
                Failure::say(Exit::Usage, "there is no home folder to keep data in")
                    .help("name one with --data-dir DIR")
            })?,
        };
        let folder = std::path::absolute(&folder).map_err(|error| {
            Failure::refused(error).context(format!("no such data folder: {}", folder.display()))
        })?;
        Ok(Place(folder))
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    /// What runs: a record, a lock and a log for each process.
    pub(crate) fn up(&self) -> PathBuf {
        self.0.join("up")
    }

    /// Configuration and store of the NATS server on `port`. One for each port, so that two servers never share a store.
    pub(crate) fn nats(&self, port: u16) -> PathBuf {
        self.0.join("nats").join(port.to_string())
    }
}

fn user_data() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
    base.map(|base| base.join("wasmcloud"))
}
