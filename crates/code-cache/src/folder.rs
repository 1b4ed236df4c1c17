//! The cache folder: opened once, checked through the open handle, and used through it ever after, so that nothing that is
//! later put in its place is touched.

use std::{
    fs::{DirBuilder, File},
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use crate::{
    entry::{ENTRY_BYTES_MAX, HEADER_BYTES, MAC_BYTES, Reject},
    key::random,
};

/// Why there is no cache. The host compiles everything anew; nothing else is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// The folder is a symbolic link.
    #[error("the code cache folder {} is a symbolic link; name the folder itself", path.display())]
    FolderIsLink {
        /// The folder.
        path: PathBuf,
    },
    /// The path is no folder.
    #[error("the code cache folder {} is not a folder; remove it or name another", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The folder is somebody else's.
    #[error("the code cache folder {} belongs to user {uid}, not to the one who runs this; name another", path.display())]
    FolderOwner {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Others may use the folder.
    #[error("the code cache folder {} is open to others (mode {mode:o}); run: chmod 700 {}", path.display(), path.display())]
    FolderMode {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key would lie among what it protects.
    #[error("the code cache key {} lies inside the cache folder; name a file outside", path.display())]
    KeyInside {
        /// The key file.
        path: PathBuf,
    },
    /// The key file is a symbolic link.
    #[error("the code cache key {} is a symbolic link; name the file itself", path.display())]
    KeyIsLink {
        /// The key file.
        path: PathBuf,
    },
    /// The key file is somebody else's.
    #[error("the code cache key {} belongs to user {uid}, not to the one who runs this; remove it", path.display())]
    KeyOwner {
        /// The key file.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Others may have read the key.
    #[error("the code cache key {} is open to others (mode {mode:o}); remove it, and a new one is made", path.display())]
    KeyMode {
        /// The key file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key file does not hold a key.
    #[error("the code cache key {} does not hold 32 bytes; remove it, and a new one is made", path.display())]
    KeyForm {
        /// The key file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("the code cache {what} {} cannot be used: {reason}", path.display())]
    Io {
        /// `folder` or `key file`.
        what: &'static str,
        /// Which one.
        path: PathBuf,
        /// The system's words.
        reason: String,
        /// The class of error.
        kind: io::ErrorKind,
    },
}

impl Unusable {
    pub(crate) fn io(what: &'static str, path: &Path, error: &io::Error) -> Unusable {
        Unusable::Io { what, path: path.to_owned(), reason: error.to_string(), kind: error.kind() }
    }
}

/// Makes a folder, and those above it, for this user only. One that is there stays as it is.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

const ASIDE: &str = ".aside-";
/// A file that was being written longer ago than this was left behind by a process that died.
const ASIDE_LEFT_BEHIND: Duration = Duration::from_secs(600);

/// An open, checked cache folder.
pub(crate) struct Folder {
    handle: OwnedFd,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Folder, Unusable> {
        let io = |error: io::Error| Unusable::io("folder", path, &error);
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => {
                return Err(Unusable::FolderIsLink { path: path.to_owned() });
            }
            Ok(metadata) if !metadata.is_dir() => return Err(Unusable::NotAFolder { path: path.to_owned() }),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_private(path).map_err(io)?,
            Err(error) => return Err(io(error)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| io(errno.into()))?;
        let handle = File::from(handle);
        let metadata = handle.metadata().map_err(io)?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(Unusable::FolderOwner { path: path.to_owned(), uid: metadata.uid() });
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(Unusable::FolderMode { path: path.to_owned(), mode: metadata.mode() & 0o777 });
        }
        Ok(Folder { handle: handle.into() })
    }

    /// Reads an entry whole; nothing if there is none.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Reject> {
        let io = |error: io::Error| Reject::Io { reason: error.to_string() };
        // Non-blocking: a pipe put there must not hang the host.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let handle = match rustix::fs::openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => handle,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => return Err(Reject::NotOurFile),
            Err(errno) => return Err(io(errno.into())),
        };
        let file = File::from(handle);
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(Reject::NotOurFile);
        }
        let limit = ENTRY_BYTES_MAX + (HEADER_BYTES + MAC_BYTES) as u64;
        if metadata.len() > limit {
            return Err(Reject::Length);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        (&file).take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
        // Eviction goes by the time of last use; a file system that keeps none evicts by age, which is fine too.
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        rustix::fs::futimens(&file, &Timestamps { last_access: omit, last_modification: now }).ok();
        Ok(Some(bytes))
    }

    /// Writes an entry so that it appears whole or not at all, also after a power cut.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut suffix = [0; 8];
        random(&mut suffix)?;
        let aside = format!("{ASIDE}{}", data_encoding::HEXLOWER.encode(&suffix));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&self.handle, &aside, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(handle);
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| Ok(rustix::fs::renameat(&self.handle, &aside, &self.handle, name)?));
        if written.is_err() {
            rustix::fs::unlinkat(&self.handle, &aside, AtFlags::empty()).ok();
        }
        written
    }

    /// Removes the longest unused entries until at most `bytes_max` are left, and what dead writers left behind. Other processes
    /// may do the same at the same time: a file that is gone already is as good as removed.
    pub(crate) fn evict(&self, bytes_max: u64) -> io::Result<u64> {
        let mut entries = Vec::new();
        let now = SystemTime::now();
        for item in Dir::read_from(&self.handle)? {
            let name = item?.file_name().to_owned();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(stat) = rustix::fs::statat(&self.handle, &name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let used = SystemTime::UNIX_EPOCH
                + Duration::new(
                    u64::try_from(stat.st_mtime).unwrap_or(0),
                    u32::try_from(stat.st_mtime_nsec).unwrap_or(0).min(999_999_999),
                );
            let left_behind = now.duration_since(used).is_ok_and(|age| age > ASIDE_LEFT_BEHIND);
            if name.to_bytes().starts_with(ASIDE.as_bytes()) {
                if left_behind {
                    rustix::fs::unlinkat(&self.handle, &name, AtFlags::empty()).ok();
                }
                continue;
            }
            if name.to_bytes().ends_with(b".code") {
                entries.push((used, u64::try_from(stat.st_size).unwrap_or(0), name));
            }
        }
        let mut total: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        entries.sort();
        for (_, bytes, name) in entries {
            if total <= bytes_max {
                break;
            }
            if rustix::fs::unlinkat(&self.handle, &name, AtFlags::empty()).is_ok() {
                tracing::debug!(?name, bytes, "evicted from the code cache");
            }
            total = total.saturating_sub(bytes);
        }
        Ok(total)
    }
}
