//! From an image to a program that may be run: fetched, its signature checked, and this machine's binary laid into a folder of
//! the host's own, under the hash of its bytes.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use data_encoding::HEXLOWER;
use lattice_claims::{
    ArchiveError, ArchiveLimits, Claims, ProviderMetadata, Trust, VerifyError, verify_provider,
};
use lattice_core::{ImageRef, with_causes};
use lattice_registry::{FetchError, Fetcher, Kind, Offline, Source};
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::trust::Trusting;

/// Why there is no program. Each text says what mends it.
#[derive(Debug, thiserror::Error)]
pub(super) enum BinaryError {
    #[error("image {image} cannot be fetched")]
    Fetch { image: String, source: Box<FetchError> },
    #[error("image {image} is an actor, and a provider was asked for; start it: wash start actor {image}")]
    Actor { image: String },
    #[error("image {image} is refused")]
    Refused { image: String, source: Box<ArchiveError> },
    #[error("the program of {image} cannot be laid down in {}: {why}", folder.display())]
    Folder { image: String, folder: PathBuf, why: String },
    #[error("the check of {image} was cut short: {why}")]
    Broken { image: String, why: String },
}

impl BinaryError {
    /// The whole story in one line: what happened, every cause, and what mends it.
    pub(super) fn told(&self) -> String {
        let text = with_causes(self);
        match self {
            BinaryError::Fetch { source, .. } => format!("{text}. {}", source.remedy()),
            BinaryError::Refused { source, .. } => match &**source {
                ArchiveError::Verify(
                    who @ (VerifyError::UntrustedIssuer { .. }
                    | VerifyError::UntrustedAccount { .. }
                    | VerifyError::RevokedIssuer { .. }),
                ) => format!("{text}; {}", who.remedy()),
                _ => format!("{text}; fetch it again, whole, or make it anew: wash par create --help"),
            },
            _ => text,
        }
    }
}

/// A program that was checked.
#[derive(Debug, Clone)]
pub(super) struct Binary {
    pub(super) path: PathBuf,
    /// Lower-case hex SHA-256 of its bytes, as signed.
    pub(super) hash: String,
    pub(super) claims: Arc<Claims<ProviderMetadata>>,
}

/// Gets programs; cheap to clone.
#[derive(Clone)]
pub(super) struct Binaries {
    pub(super) fetcher: Arc<Fetcher>,
    pub(super) trust: Trusting,
    /// Where they are laid down.
    pub(super) folder: PathBuf,
}

/// This machine, as archives name it.
fn target() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

impl Binaries {
    /// Fetches, checks and lays down. Cancelled by dropping: at most a checked file is left.
    pub(super) async fn get(&self, image: &ImageRef, text: &str) -> Result<Binary, BinaryError> {
        let name = text.to_owned();
        let fetched = self.fetcher.fetch(image, Offline::UseCache).await;
        let artifact =
            fetched.map_err(|source| BinaryError::Fetch { image: name.clone(), source: Box::new(source) })?;
        if artifact.kind == Kind::Actor {
            return Err(BinaryError::Actor { image: name });
        }
        if let Source::CacheUnconfirmed { reason } = &artifact.source {
            warn!(image = text, %reason, "the registry does not answer; what the tag meant last is started");
        }
        let (trust, folder, bytes) = (self.trust.current().await, self.folder.clone(), artifact.bytes);
        let of = name.clone();
        // Hashing megabytes is no work for the threads that serve calls.
        tokio::task::spawn_blocking(move || lay(&of, &bytes, &trust, &folder))
            .await
            .map_err(|error| BinaryError::Broken { image: name, why: error.to_string() })?
    }

    /// Makes sure, before each start, that the program is still what was signed, and that who signed it still counts.
    pub(super) async fn check(&self, binary: &Binary) -> Result<(), String> {
        // As before the first start: what was revoked a moment ago, through another host, counts here, too.
        drop(self.trust.current().await);
        self.trust.check(&binary.claims.issuer).map_err(|error| error.to_string())?;
        let (path, hash) = (binary.path.clone(), binary.hash.clone());
        let same = tokio::task::spawn_blocking(move || is_whole(&path, &hash)).await;
        match same {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(format!("{} is not what was signed any more", binary.path.display())),
            Ok(Err(error)) => Err(format!("{} cannot be read: {error}", binary.path.display())),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn lay(image: &str, archive: &[u8], trust: &Trust, folder: &Path) -> Result<Binary, BinaryError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let verified = verify_provider(archive, Some(&target()), trust, now, &ArchiveLimits::default());
    let refused = |source| BinaryError::Refused { image: image.to_owned(), source: Box::new(source) };
    let verified = verified.map_err(refused)?;
    let bytes = verified.binary.ok_or_else(|| {
        refused(ArchiveError::NoTarget { target: target(), available: verified.targets.clone() })
    })?;
    let hash = HEXLOWER.encode(&Sha256::digest(&bytes));
    let path = folder.join(&hash);
    let cannot = |error: io::Error| BinaryError::Folder {
        image: image.to_owned(),
        folder: folder.to_owned(),
        why: error.to_string(),
    };
    own_folder(folder).map_err(cannot)?;
    // One that was changed, or cut short by a full disk, is laid down anew.
    if !matches!(is_whole(&path, &hash), Ok(true)) {
        write(folder, &path, &bytes).map_err(cannot)?;
    }
    Ok(Binary { path, hash, claims: Arc::new(verified.claims) })
}

/// Makes the folder for its owner alone; one that is there has to be so.
fn own_folder(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let found = fs::symlink_metadata(folder)?;
    let me = rustix::process::geteuid().as_raw();
    let why = if !found.is_dir() {
        "it is no folder".to_owned()
    } else if found.uid() != me {
        format!("it belongs to user {}, not to the one who runs this", found.uid())
    } else if found.mode() & 0o077 != 0 {
        format!(
            "it is open to others (mode {:o}); run: chmod 700 {}",
            found.mode() & 0o7777,
            folder.display()
        )
    } else {
        return Ok(());
    };
    Err(io::Error::other(why))
}

/// True if the file is there, is a plain file, and has these bytes.
fn is_whole(path: &Path, hash: &str) -> io::Result<bool> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(false);
    }
    let (mut file, mut digest) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(HEXLOWER.encode(&digest.finalize()) == hash),
            read => digest.update(&buffer[..read]),
        }
    }
}

/// Writes aside, then renames: what has the name is whole.
fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = folder.join(format!(".{}", uuid::Uuid::new_v4().simple()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o500).open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()
    })();
    let renamed = written.and_then(|()| fs::rename(&aside, path));
    if renamed.is_err() {
        // The first error is the one that is told.
        let _ = fs::remove_file(&aside);
    }
    renamed
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _};

    use lattice_claims::{KeyKind, KeyPair, SignProvider, create_provider};

    use super::*;

    struct Made {
        account: KeyPair,
        archive: Vec<u8>,
    }

    fn made(target: &str, program: &[u8]) -> Made {
        let account = KeyPair::generate(KeyKind::Account);
        let subject = KeyPair::generate(KeyKind::Provider);
        let sign = SignProvider { name: "store".into(), vendor: "us".into(), ..SignProvider::default() };
        let binaries = BTreeMap::from([(target.to_owned(), program.to_vec())]);
        let archive = create_provider(&sign, &binaries, None, &account, subject.public_key(), 1).unwrap();
        Made { account, archive }
    }

    fn trusting(made: &Made) -> Trust {
        Trust::accounts([made.account.public_key().as_str()]).unwrap()
    }

    #[test]
    fn a_signed_program_is_laid_down_once_and_mended_when_it_was_changed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("providers");
        let made = made(&target(), b"#!/bin/sh\nexit 0\n");
        let laid = lay("x.par", &made.archive, &trusting(&made), &folder).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!((mode(&folder), mode(&laid.path)), (0o700, 0o500));
        assert!(is_whole(&laid.path, &laid.hash).unwrap());
        fs::set_permissions(&laid.path, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(&laid.path, "#!/bin/sh\nrm -rf /\n").unwrap();
        assert!(!is_whole(&laid.path, &laid.hash).unwrap());
        let again = lay("x.par", &made.archive, &trusting(&made), &folder).unwrap();
        assert!(is_whole(&again.path, &again.hash).unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn what_is_not_signed_by_whom_we_trust_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("providers");
        let made = made(&target(), b"program");
        let told = |archive: &[u8], trust: &Trust| lay("x.par", archive, trust, &folder).unwrap_err().told();
        let untrusted = told(&made.archive, &Trust::default());
        assert!(untrusted.contains("wash trust add"), "{untrusted}");
        let at = made.archive.windows(7).position(|bytes| bytes == b"program").unwrap();
        let mut changed = made.archive.clone();
        changed[at] ^= 1;
        let tampered = told(&changed, &trusting(&made));
        assert!(tampered.contains("changed after it was signed"), "{tampered}");
        let elsewhere = self::made("z80-cpm", b"program");
        let other = told(&elsewhere.archive, &trusting(&elsewhere));
        assert!(other.contains("has no binary for") && other.contains("z80-cpm"), "{other}");
        assert!(told(b"nothing", &trusting(&made)).contains("damaged"));
        assert!(!folder.exists());
    }

    #[test]
    fn a_folder_that_others_may_use_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, made) = (dir.path().join("open"), made(&target(), b"program"));
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let told = lay("x.par", &made.archive, &trusting(&made), &folder).unwrap_err().told();
        assert!(told.contains("chmod 700"), "{told}");
    }
}
