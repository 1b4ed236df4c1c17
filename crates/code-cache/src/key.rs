//! The key that authenticates entries: 32 random bytes in a file that only its owner reads.

use std::{
    fs::File,
    io::{Read, Write},
    os::unix::fs::MetadataExt,
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags},
    rand::GetRandomFlags,
};

use crate::folder::Unusable;

const KEY_BYTES: usize = 32;

/// The key. Has no `Debug`.
#[derive(Clone)]
pub(crate) struct Key([u8; KEY_BYTES]);

impl Key {
    /// The key of these bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(bytes: [u8; KEY_BYTES]) -> Key {
        Key(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the key, making it first if there is none. Of two processes that make it at once one wins, and both get its key.
    pub(crate) fn open(path: &Path) -> Result<Key, Unusable> {
        match Key::read(path) {
            Err(Unusable::Io { kind: std::io::ErrorKind::NotFound, .. }) => {
                Key::create(path)?;
                Key::read(path)
            }
            other => other,
        }
    }

    fn read(path: &Path) -> Result<Key, Unusable> {
        let io = |error: std::io::Error| Unusable::io("key file", path, &error);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
            rustix::io::Errno::LOOP => Unusable::KeyIsLink { path: path.to_owned() },
            other => io(other.into()),
        })?;
        let mut file = File::from(file);
        let metadata = file.metadata().map_err(io)?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(Unusable::KeyOwner { path: path.to_owned(), uid: metadata.uid() });
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(Unusable::KeyMode { path: path.to_owned(), mode: metadata.mode() & 0o777 });
        }
        if !metadata.is_file() || metadata.len() != KEY_BYTES as u64 {
            return Err(Unusable::KeyForm { path: path.to_owned() });
        }
        let mut bytes = [0; KEY_BYTES];
        file.read_exact(&mut bytes).map_err(io)?;
        Ok(Key(bytes))
    }

    fn create(path: &Path) -> Result<(), Unusable> {
        let io = |error: std::io::Error| Unusable::io("key file", path, &error);
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        crate::folder::make_private(parent).map_err(io)?;
        let mut bytes = [0; KEY_BYTES];
        random(&mut bytes).map_err(io)?;
        // A name that does not exist until the file is whole: written aside (0600), then linked, which never replaces.
        let mut aside = tempfile::Builder::new().prefix(".key-").tempfile_in(parent).map_err(io)?;
        aside.write_all(&bytes).map_err(io)?;
        aside.as_file().sync_all().map_err(io)?;
        match rustix::fs::linkat(CWD, aside.path(), CWD, path, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(errno) => Err(io(errno.into())),
        }
    }
}

/// Fills `bytes` from the system's randomness.
pub(crate) fn random(bytes: &mut [u8]) -> std::io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        filled += rustix::rand::getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    Ok(())
}
