//! Artifacts on disk: `blobs/sha256/HEX` by content, `refs/HEX` for what a tag last meant.
//!
//! A file's name is its hash, and the hash is taken again whenever it is read, so a damaged or planted file is thrown away
//! and fetched anew. Files appear by rename, whole or not at all; several processes may share the folder. A cache that
//! cannot be written costs time, never a fetch: such failures are warned about and go no further.

use std::{
    fs, io,
    io::{Read, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::artifact::digest_of;

/// Leftovers of processes that were killed while writing.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);
const REF_BYTES_MAX: u64 = 4 * 1024;

/// A cache folder. All of it blocks; call it off the async threads.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
    bytes_max: u64,
}

/// What emptying freed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Emptied {
    /// How many files.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Meaning {
    image: String,
    manifest: String,
}

impl Cache {
    /// The cache in `dir`, which is made when first written to.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, bytes_max: u64) -> Cache {
        Cache { dir: dir.into(), bytes_max }
    }

    /// The blob with this digest, if it is there, no larger than `bytes_max`, and still what it should be.
    pub(crate) fn blob(&self, digest: &str, bytes_max: u64) -> Option<Bytes> {
        let path = self.blob_path(digest)?;
        let bytes = match read(&path, bytes_max) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return None,
            Err(error) => {
                warn!(path = %path.display(), %error, "a cached artifact cannot be read");
                return None;
            }
        };
        if digest_of(&bytes) != digest {
            warn!(path = %path.display(), "a cached artifact is damaged and fetched anew");
            let _ = fs::remove_file(&path);
            return None;
        }
        // The time of last use, which decides who goes first when room is needed.
        let _ = fs::File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Some(Bytes::from(bytes))
    }

    /// Keeps a blob under its digest, and makes room for it.
    pub(crate) fn keep(&self, digest: &str, bytes: &[u8]) {
        let Some(path) = self.blob_path(digest) else { return };
        if bytes.len() as u64 > self.bytes_max {
            return;
        }
        self.write(&path, bytes);
        self.make_room(&path);
    }

    /// The digest of the manifest that `image` last meant.
    pub(crate) fn meaning(&self, image: &str) -> Option<String> {
        let text = read(&self.ref_path(image), REF_BYTES_MAX).ok()??;
        let meaning: Meaning = serde_json::from_slice(&text).ok()?;
        // The name is a hash of the reference, so this only fails for planted files.
        (meaning.image == image && crate::artifact::is_digest(&meaning.manifest)).then_some(meaning.manifest)
    }

    /// Remembers what `image` means.
    pub(crate) fn remember(&self, image: &str, manifest: &str) {
        let meaning = Meaning { image: image.to_owned(), manifest: manifest.to_owned() };
        match serde_json::to_vec(&meaning) {
            Ok(text) => self.write(&self.ref_path(image), &text),
            Err(error) => warn!(%error, "what a tag means could not be written down"),
        }
    }

    /// Removes everything in it, and nothing beside it.
    ///
    /// # Errors
    /// What the file system says. A folder that is not there is empty.
    pub fn empty(&self) -> io::Result<Emptied> {
        let mut emptied = Emptied::default();
        for folder in ["blobs/sha256", "refs", "tmp"] {
            for entry in entries(&self.dir.join(folder))? {
                fs::remove_file(&entry.path)?;
                emptied.files += 1;
                emptied.bytes += entry.bytes;
            }
        }
        Ok(emptied)
    }

    fn blob_path(&self, digest: &str) -> Option<PathBuf> {
        crate::artifact::is_digest(digest)
            .then(|| self.dir.join("blobs/sha256").join(digest.trim_start_matches("sha256:")))
    }

    fn ref_path(&self, image: &str) -> PathBuf {
        self.dir.join("refs").join(digest_of(image.as_bytes()).trim_start_matches("sha256:"))
    }

    fn write(&self, path: &Path, bytes: &[u8]) {
        if let Err(error) = self.try_write(path, bytes) {
            warn!(path = %path.display(), %error, "an artifact could not be cached");
        }
    }

    fn try_write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        let tmp = self.dir.join("tmp");
        private.create(&tmp)?;
        private.create(path.parent().unwrap_or(&self.dir))?;
        let mut file = tempfile::NamedTempFile::new_in(&tmp)?;
        file.write_all(bytes)?;
        file.as_file().sync_data()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes the longest unused blobs until the rest fits; never the one just written.
    fn make_room(&self, just_written: &Path) {
        let outcome = entries(&self.dir.join("blobs/sha256")).and_then(|mut blobs| {
            let mut total: u64 = blobs.iter().map(|blob| blob.bytes).sum();
            blobs.sort_by_key(|blob| blob.used);
            for blob in blobs.iter().filter(|blob| blob.path != just_written) {
                if total <= self.bytes_max {
                    break;
                }
                fs::remove_file(&blob.path)?;
                total -= blob.bytes;
            }
            let abandoned = |entry: &Entry| entry.used.elapsed().is_ok_and(|age| age > ABANDONED_AFTER);
            for leftover in entries(&self.dir.join("tmp"))?.iter().filter(|entry| abandoned(entry)) {
                fs::remove_file(&leftover.path)?;
            }
            Ok(())
        });
        match outcome {
            // Another process is making room too.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!(%error, "the artifact cache cannot be kept to its size");
            }
            _ => {}
        }
    }
}

struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// The plain files in a folder; none if there is no such folder.
fn entries(dir: &Path) -> io::Result<Vec<Entry>> {
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut all = Vec::new();
    for entry in listing {
        let entry = entry?;
        let Ok(about) = entry.metadata() else { continue };
        if about.is_file() {
            all.push(Entry { path: entry.path(), bytes: about.len(), used: about.modified()? });
        }
    }
    Ok(all)
}

fn read(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(bytes_max: u64) -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("oci"), bytes_max);
        (dir, cache)
    }

    #[test]
    fn what_is_kept_is_found_and_doubted() {
        let (_dir, cache) = cache(1000);
        let digest = digest_of(b"hello");
        assert_eq!(cache.blob(&digest, 100), None);
        cache.keep(&digest, b"hello");
        assert_eq!(cache.blob(&digest, 100).as_deref(), Some(&b"hello"[..]));
        assert_eq!(cache.blob(&digest, 4), None, "larger than the caller wants");
        let path = cache.blob_path(&digest).unwrap();
        fs::write(&path, b"hellO").unwrap();
        assert_eq!(cache.blob(&digest, 100), None);
        assert!(!path.exists(), "the damaged file is gone");
        assert_eq!(cache.blob("sha256:../../etc/passwd", 100), None);
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let (_dir, cache) = cache(10);
        let blobs = [b"aaaa", b"bbbb", b"cccc"];
        for (age, blob) in [(30, blobs[0]), (20, blobs[1])] {
            cache.keep(&digest_of(blob), blob);
            let file = fs::File::options().append(true).open(cache.blob_path(&digest_of(blob)).unwrap());
            file.unwrap().set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        assert!(cache.blob(&digest_of(blobs[0]), 10).is_some(), "used again, so no longer the oldest");
        cache.keep(&digest_of(blobs[2]), blobs[2]);
        let there = blobs.map(|blob| cache.blob_path(&digest_of(blob)).unwrap().exists());
        assert_eq!(there, [true, false, true]);
        cache.keep(&digest_of(b"larger than all of it"), b"larger than all of it");
        assert!(cache.blob(&digest_of(blobs[2]), 10).is_some());
    }

    #[test]
    fn tags_are_remembered_and_all_of_it_can_be_emptied() {
        let (_dir, cache) = cache(1000);
        assert_eq!(cache.empty().unwrap(), Emptied::default());
        let digest = digest_of(b"m");
        cache.remember("localhost:5000/a:1", &digest);
        cache.keep(&digest, b"m");
        assert_eq!(cache.meaning("localhost:5000/a:1"), Some(digest));
        assert_eq!(cache.meaning("localhost:5000/a:2"), None);
        let emptied = cache.empty().unwrap();
        assert_eq!(emptied.files, 2);
        assert_eq!(cache.meaning("localhost:5000/a:1"), None);
    }

    #[test]
    fn an_unwritable_folder_costs_nothing_but_time() {
        let (dir, _) = cache(0);
        let blocked = dir.path().join("file");
        fs::write(&blocked, "").unwrap();
        let cache = Cache::new(&blocked, 1000);
        cache.keep(&digest_of(b"x"), b"x");
        assert_eq!(cache.blob(&digest_of(b"x"), 10), None);
    }
}
