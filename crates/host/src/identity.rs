//! Who this host is: its key, in the first free slot of the data folder.
//!
//! `{data}/hosts/0`, `{data}/hosts/1`, … each hold a key and a lock file. A host takes the first slot that no living
//! process holds, so a second plain `wasmcloud` on one machine just works and a restarted one is the same host. The
//! lock belongs to the open file: it goes with the process, however that ends. A host with a key of its own is found by that
//! key: its folder is `{data}/hosts/{id}`, whatever other hosts there are.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use lattice_claims::{KeyKind, KeyPair};
use lattice_core::HostId;
use tracing::warn;
use zeroize::Zeroizing;

/// More hosts than this do not share one data folder.
const SLOTS_MAX: u32 = 64;

/// Why the host has no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A folder or file cannot be made, read or locked.
    #[error("cannot {doing} {}: {source}; choose another folder with --data-dir", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A key file holds something else.
    #[error("{} does not hold a {kind} seed (S{}…): {why}; move the file away to get a new one", path.display(), kind.letter())]
    Key {
        /// The key file.
        path: PathBuf,
        /// What it should hold.
        kind: KeyKind,
        /// What is wrong with it.
        why: String,
    },
    /// The seed given on the command line is not one.
    #[error("--host-seed is not a host seed (SN…): {why}; make one with `wash keys gen host`")]
    Seed {
        /// What is wrong with it.
        why: String,
    },
    /// The host with that seed runs already.
    #[error("host {id} runs already, with {}; one key is one host", path.display())]
    Running {
        /// Its id.
        id: HostId,
        /// Its folder.
        path: PathBuf,
    },
    /// Every slot is taken.
    #[error("{SLOTS_MAX} hosts use {} already; choose another folder with --data-dir", path.display())]
    Full {
        /// The folder of slots.
        path: PathBuf,
    },
}

/// A host's identity, held for as long as the process runs.
#[derive(Debug)]
pub struct Identity {
    /// The public key.
    pub id: HostId,
    /// To which secrets are sealed for this host: a curve key, kept beside the other one.
    pub xkey: KeyPair,
    /// The slot's folder, where this host alone keeps files.
    pub dir: PathBuf,
    /// Held, never read: the lock ends when this is dropped.
    _lock: File,
}

impl Identity {
    /// Takes the first free slot below `data`; with `seed`, the folder of the host whose key that is.
    ///
    /// # Errors
    /// [`IdentityError`] says which file, and what mends it.
    pub fn take(data: &Path, seed: Option<&str>) -> Result<Self, IdentityError> {
        let hosts = data.join("hosts");
        make_private_dir(data)?;
        make_private_dir(&hosts)?;
        if let Some(seed) = seed {
            return Self::of_seed(&hosts, seed);
        }
        for slot in 0..SLOTS_MAX {
            let dir = hosts.join(slot.to_string());
            make_private_dir(&dir)?;
            let Some(lock) = try_lock(&dir.join("lock"))? else { continue };
            let id = id_of(&stored_key(&dir.join("host.nk"), KeyKind::Host)?)?;
            let xkey = stored_xkey(&dir)?;
            return Ok(Self { id, xkey, dir, _lock: lock });
        }
        Err(IdentityError::Full { path: hosts })
    }

    fn of_seed(hosts: &Path, seed: &str) -> Result<Self, IdentityError> {
        let key = KeyPair::from_seed(seed.trim()).map_err(|e| IdentityError::Seed { why: e.to_string() })?;
        let id = id_of(&key)?;
        let dir = hosts.join(id.as_str());
        make_private_dir(&dir)?;
        match try_lock(&dir.join("lock"))? {
            Some(lock) => Ok(Self { id, xkey: stored_xkey(&dir)?, dir, _lock: lock }),
            None => Err(IdentityError::Running { id, path: dir }),
        }
    }
}

fn id_of(key: &KeyPair) -> Result<HostId, IdentityError> {
    HostId::new(key.public_key().as_str()).map_err(|e| IdentityError::Seed { why: e.to_string() })
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> IdentityError + 'a {
    move |source| IdentityError::File { doing, path: path.to_owned(), source }
}

fn make_private_dir(path: &Path) -> Result<(), IdentityError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(failed("make the folder", path))?;
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(failed("protect the folder", path))
}

fn try_lock(path: &Path) -> Result<Option<File>, IdentityError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(failed("open the lock file", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(source)) => Err(failed("lock", path)(source)),
    }
}

/// The host's id comes with the seed that it was given; the curve key is its own all the same, and stays where it is.
fn stored_xkey(dir: &Path) -> Result<KeyPair, IdentityError> {
    stored_key(&dir.join("host.xk"), KeyKind::Curve)
}

fn stored_key(path: &Path, kind: KeyKind) -> Result<KeyPair, IdentityError> {
    match fs::read_to_string(path).map(Zeroizing::new) {
        Ok(seed) => {
            keep_private(path)?;
            let fail = |why: String| IdentityError::Key { path: path.to_owned(), kind, why };
            let key = KeyPair::from_seed(seed.trim()).map_err(|e| fail(e.to_string()))?;
            if key.kind() != kind {
                return Err(fail(format!("it is the seed of another kind of key ({})", key.kind())));
            }
            Ok(key)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => new_key(path, kind),
        Err(source) => Err(failed("read the key", path)(source)),
    }
}

/// A key that others could read is theirs no longer from now on; whether they did read it, nobody knows.
fn keep_private(path: &Path) -> Result<(), IdentityError> {
    let mode = fs::metadata(path).map_err(failed("look at the key", path))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed("protect the key", path))?;
    warn!(
        "the key {} was open to others (mode {mode:o}) and is 600 now; \
         if somebody may have read it, move it away to get a new one",
        path.display()
    );
    Ok(())
}

/// Written to a new name and renamed, so that a process that dies between two lines leaves no half key behind.
fn new_key(path: &Path, kind: KeyKind) -> Result<KeyPair, IdentityError> {
    let key = KeyPair::generate(kind);
    let new = path.with_extension("new");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&new)
        .map_err(failed("write the key", &new))?;
    file.write_all(key.seed().expose().as_bytes()).map_err(failed("write the key", &new))?;
    file.sync_all().map_err(failed("write the key", &new))?;
    fs::rename(&new, path).map_err(failed("write the key", path))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hosts_take_two_slots_and_a_restarted_one_is_the_same() {
        let data = tempfile::tempdir().unwrap();
        let first = Identity::take(data.path(), None).unwrap();
        let second = Identity::take(data.path(), None).unwrap();
        assert_ne!(first.id, second.id);
        assert!(first.dir.ends_with("hosts/0") && second.dir.ends_with("hosts/1"));
        let (id, xkey) = (first.id.clone(), first.xkey.public_key().clone());
        drop(first);
        let again = Identity::take(data.path(), None).unwrap();
        assert_eq!((again.id, again.xkey.public_key()), (id, &xkey));
        for file in ["hosts/0/host.nk", "hosts/0/host.xk"] {
            let mode = fs::metadata(data.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_host_with_a_seed_finds_its_folder_again_beside_others() {
        let data = tempfile::tempdir().unwrap();
        let seed = KeyPair::generate(KeyKind::Host).seed().expose().to_owned();
        let first = Identity::take(data.path(), Some(&seed)).unwrap();
        assert!(first.dir.ends_with(first.id.as_str()));
        let twin = Identity::take(data.path(), Some(&seed)).unwrap_err();
        assert!(matches!(twin, IdentityError::Running { .. }), "{twin}");
        let plain = Identity::take(data.path(), None).unwrap();
        assert!(plain.dir.ends_with("hosts/0"));
        let dir = first.dir.clone();
        drop(first);
        assert_eq!(Identity::take(data.path(), Some(&seed)).unwrap().dir, dir);
    }

    #[test]
    fn a_key_that_others_can_read_is_closed_to_them() {
        let data = tempfile::tempdir().unwrap();
        let id = Identity::take(data.path(), None).unwrap().id;
        let key = data.path().join("hosts/0/host.nk");
        fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(Identity::take(data.path(), None).unwrap().id, id);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_no_seed_is_named() {
        let data = tempfile::tempdir().unwrap();
        drop(Identity::take(data.path(), None).unwrap());
        fs::write(data.path().join("hosts/0/host.nk"), "nonsense").unwrap();
        let error = Identity::take(data.path(), None).unwrap_err().to_string();
        assert!(error.contains("hosts/0/host.nk"), "{error}");
        assert!(Identity::take(data.path(), Some("SNnonsense")).is_err());
    }
}
