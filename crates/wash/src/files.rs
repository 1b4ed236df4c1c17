//! Writing files.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, path::Path};

use crate::failure::{Failure, Outcome};

/// Writes a file whole or not at all: somebody may be reading the old one.
///
/// # Errors
/// What the file system says.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Outcome {
    let written = || {
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut file = tempfile::Builder::new()
            // As any new file, less what the user's mask takes away.
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(folder.unwrap_or(Path::new(".")))?;
        file.write_all(bytes)?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    written().map_err(|error| Failure::refused(error).context(format!("cannot write {}", path.display())))
}
