//! Reading and writing files.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use crate::failure::{Failure, Outcome};

/// Reads a plain file of at most `bytes_max` bytes as text.
///
/// # Errors
/// What the file system says; it is longer; it is no plain file: opening a pipe would wait for somebody to write, and a device
/// may never end.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let about = fs::metadata(path)?;
    if !about.is_file() {
        let kind = if about.is_dir() { "it is a folder" } else { "it is no plain file" };
        return Err(io::Error::other(kind));
    }
    let mut text = String::new();
    fs::File::open(path)?.take(bytes_max.saturating_add(1)).read_to_string(&mut text)?;
    if text.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("it is longer than {bytes_max} bytes")));
    }
    Ok(text)
}

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
    written().map_err(|error| cannot_write(path, error))
}

/// As [`write()`], for what its owner alone may read (mode 0600), and on the disk before it counts: keys, credentials.
///
/// # Errors
/// What the file system says.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Outcome {
    let written = private(path, bytes).and_then(|file| file.persist(path).map_err(|error| error.error));
    written.map(drop).map_err(|error| cannot_write(path, error))
}

/// As [`write_private`], where there must be no such file yet.
///
/// # Errors
/// There is one, or what the file system says.
pub(crate) fn write_private_new(path: &Path, bytes: &[u8]) -> Outcome {
    let written =
        private(path, bytes).and_then(|file| file.persist_noclobber(path).map_err(|error| error.error));
    written.map(drop).map_err(|error| cannot_write(path, error))
}

fn private(path: &Path, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    // A temporary file is its owner's alone, and so is what it becomes.
    let mut file = tempfile::Builder::new().tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn cannot_write(path: &Path, error: io::Error) -> Failure {
    Failure::refused(error).context(format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        write_private_new(&file, b"1").unwrap();
        assert!(write_private_new(&file, b"2").is_err());
        write_private(&file, b"3").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"3");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn only_plain_files_of_some_length_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "12345").unwrap();
        assert_eq!(read_text(&file, 5).unwrap(), "12345");
        assert!(read_text(&file, 4).unwrap_err().to_string().contains("longer than 4 bytes"));
        for path in [Path::new("/dev/zero"), folder.path()] {
            assert!(read_text(path, 4).unwrap_err().to_string().starts_with("it is"), "{}", path.display());
        }
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(read_text(&pipe, 4).unwrap_err().to_string().contains("no plain file"));
    }
}
