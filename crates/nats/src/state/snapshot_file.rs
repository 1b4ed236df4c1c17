//! A snapshot in a file, which is always the old one or the new one, whole.
//!
//! Written under another name, synced, renamed, and the folder synced: after [`SnapshotFile::write`] a power cut takes
//! nothing back, and a process that dies between two lines leaves the old file. What cannot be read is moved aside and
//! never overwritten.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use super::snapshot::{SnapshotKind, UnreadableSnapshot, decode, encode};

/// Files kept aside under one name; of more, the last is replaced.
const ASIDE_MAX: u32 = 16;

/// A file that holds one snapshot.
#[derive(Debug, Clone)]
pub struct SnapshotFile {
    path: PathBuf,
    kind: SnapshotKind,
}

/// What was in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded<T> {
    /// There is no file.
    Absent,
    /// This.
    Whole(T),
    /// Nothing that reads. It is out of the way now.
    Aside(SetAside),
}

/// A file that was moved aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} cannot be read: {why}; it is kept as {}", path.display(), kept.display())]
pub struct SetAside {
    /// The snapshot's file.
    pub path: PathBuf,
    /// Where its content is now.
    pub kept: PathBuf,
    /// What is wrong with it.
    pub why: UnreadableSnapshot,
}

/// Why a snapshot was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The content cannot be JSON.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        /// The snapshot's file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> SnapshotError + 'a {
    move |source| SnapshotError::File { doing, path: path.to_owned(), source }
}

impl SnapshotFile {
    /// The snapshot of that kind at `path`. One process alone may use it.
    #[must_use]
    pub fn new(path: PathBuf, kind: SnapshotKind) -> Self {
        Self { path, kind }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it; what does not read is moved aside, as `{file}.corrupt` or `{file}.v{version}`. Blocks.
    ///
    /// # Errors
    /// [`SnapshotError::File`] when the file is there and cannot be looked at or moved: it must not be overwritten then.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Loaded<T>, SnapshotError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Absent),
            Err(error) => return Err(failed("read", &self.path)(error)),
        };
        match decode(self.kind, &bytes) {
            Ok(content) => Ok(Loaded::Whole(content)),
            Err(why) => self.set_aside(why).map(Loaded::Aside),
        }
    }

    /// Moves the file aside for what its content says; the caller has read it.
    ///
    /// # Errors
    /// [`SnapshotError::File`] when it cannot be moved.
    pub fn set_aside(&self, why: UnreadableSnapshot) -> Result<SetAside, SnapshotError> {
        let ending = match &why {
            UnreadableSnapshot::Newer { found, .. } => format!("v{found}"),
            UnreadableSnapshot::Corrupt { .. } => "corrupt".to_owned(),
        };
        let kept = self.free_name(&ending);
        fs::rename(&self.path, &kept).map_err(failed("move aside", &self.path))?;
        self.sync_folder()?;
        Ok(SetAside { path: self.path.clone(), kept, why })
    }

    fn free_name(&self, ending: &str) -> PathBuf {
        let named = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(if number == 1 { format!(".{ending}") } else { format!(".{ending}.{number}") });
            PathBuf::from(name)
        };
        (1..ASIDE_MAX).map(named).find(|name| !name.exists()).unwrap_or_else(|| named(ASIDE_MAX))
    }

    /// Writes it. When this returns, it is on the disk. Blocks.
    ///
    /// # Errors
    /// [`SnapshotError`]; the file is the one that was there before.
    pub fn write<T: Serialize>(&self, content: &T) -> Result<(), SnapshotError> {
        let unwritable = |source| SnapshotError::Unwritable { path: self.path.clone(), source };
        let bytes = encode(self.kind, content).map_err(unwritable)?;
        let new = self.unfinished();
        let mut options = OpenOptions::new();
        // Configurations may hold what is not for everybody's eyes.
        options.create(true).truncate(true).write(true).mode(0o600);
        let mut file = options.open(&new).map_err(failed("write", &new))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed("write", &new))?;
        fs::rename(&new, &self.path).map_err(failed("write", &self.path))?;
        self.sync_folder()
    }

    /// What is being written. One that a dead process left is overwritten.
    fn unfinished(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        PathBuf::from(name)
    }

    fn sync_folder(&self) -> Result<(), SnapshotError> {
        let folder = self.path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync the folder", folder))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::{Value, json};

    use super::*;

    const KIND: SnapshotKind = SnapshotKind { name: "test", version: 1 };

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_written_is_read_and_is_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(folder.path().join("a.snapshot"), KIND);
        assert_eq!(file.read::<Value>().unwrap(), Loaded::Absent);
        for content in [json!({"a": 1}), json!([])] {
            file.write(&content).unwrap();
            assert_eq!(file.read::<Value>().unwrap(), Loaded::Whole(content));
        }
        assert_eq!(names(folder.path()), ["a.snapshot"]);
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_process_that_dies_while_it_writes_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(folder.path().join("a.snapshot"), KIND);
        file.write(&json!("old")).unwrap();
        let new = encode(KIND, &json!("new, and longer")).unwrap();
        for end in 0..new.len() {
            fs::write(file.unfinished(), &new[..end]).unwrap();
            assert_eq!(file.read::<String>().unwrap(), Loaded::Whole("old".into()));
        }
        file.write(&json!("new")).unwrap();
        assert_eq!(file.read::<String>().unwrap(), Loaded::Whole("new".into()));
    }

    #[test]
    fn what_does_not_read_is_kept_aside_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(folder.path().join("a.snapshot"), KIND);
        let whole = encode(KIND, &json!("x")).unwrap();
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 4;
        for (bytes, kept) in [
            (whole[..whole.len() / 2].to_vec(), "a.snapshot.corrupt"),
            (flipped, "a.snapshot.corrupt.2"),
            (Vec::new(), "a.snapshot.corrupt.3"),
            (encode(SnapshotKind { version: 2, ..KIND }, &json!("x")).unwrap(), "a.snapshot.v2"),
        ] {
            fs::write(file.path(), &bytes).unwrap();
            let Loaded::Aside(aside) = file.read::<String>().unwrap() else { panic!("it was read") };
            assert_eq!(aside.kept, folder.path().join(kept));
            assert_eq!(fs::read(&aside.kept).unwrap(), bytes);
            assert_eq!(file.read::<String>().unwrap(), Loaded::Absent);
        }
    }

    #[test]
    fn a_disk_that_refuses_is_told_and_the_old_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(folder.path().join("a.snapshot"), KIND);
        file.write(&json!("old")).unwrap();
        fs::create_dir(file.unfinished()).unwrap();
        let error = file.write(&json!("new")).unwrap_err().to_string();
        assert!(error.contains("a.snapshot.new"), "{error}");
        assert_eq!(file.read::<String>().unwrap(), Loaded::Whole("old".into()));
    }
}
