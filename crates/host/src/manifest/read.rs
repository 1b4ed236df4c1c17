//! Reading a manifest file.

use std::{
    io,
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
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > BYTES_MAX {
        let text = format!("it has {size} bytes; at most {BYTES_MAX} are read");
        return Err(failed(io::Error::new(io::ErrorKind::InvalidData, text)));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
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
