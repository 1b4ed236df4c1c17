//! Reading a manifest file.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use lattice_core::ActorId;
use lattice_manifest::{Manifest, ManifestErrors};

/// Why a manifest cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ReadError {
    #[error("cannot read the manifest {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the manifest {} cannot be run:\n{errors}", path.display())]
    Invalid { path: PathBuf, errors: ManifestErrors },
    #[error(
        "the manifest {} asks for {replicas} replicas of {actor}: one host runs one; spreading replicas over hosts is not \
         served yet, so write `replicas: 1` or leave it out", path.display()
    )]
    Replicas { path: PathBuf, actor: ActorId, replicas: u32 },
}

/// Largest manifest, in bytes: far more than anybody writes by hand.
const BYTES_MAX: u64 = 4 << 20;

/// Reads and checks `path`. Variables come from the environment of this process.
pub(crate) fn read(path: &Path) -> Result<Manifest, ReadError> {
    let failed = |source| ReadError::File { path: path.to_owned(), source };
    let text = text_of(path).map_err(failed)?;
    let absolute = std::path::absolute(path).map_err(failed)?;
    let base = absolute.parent().unwrap_or(Path::new("/"));
    let name = path.display().to_string();
    let manifest =
        lattice_manifest::parse(&text, &name, base, &|variable: &str| std::env::var(variable).ok())
            .map_err(|errors| ReadError::Invalid { path: path.to_owned(), errors })?;
    match manifest.plan().actors.iter().find(|actor| actor.replicas != 1) {
        Some(actor) => {
            let (actor, replicas) = (actor.id.clone(), actor.replicas);
            Err(ReadError::Replicas { path: path.to_owned(), actor, replicas })
        }
        None => Ok(manifest),
    }
}

/// Opening a pipe would wait for somebody to write, and a device may never end.
fn text_of(path: &Path) -> io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let mut text = String::new();
    std::fs::File::open(path)?.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {BYTES_MAX} bytes")));
    }
    Ok(text)
}
