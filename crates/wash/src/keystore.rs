//! The user's keys: one seed a file, `NAME_kind.nk`, in a folder that only they can read.
//!
//! The layout is that of 2021, so that keys made then are found. A key that exists is never overwritten.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use lattice_claims::{KeyError, KeyKind, KeyPair, PublicKey};

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    output::{Format, Output},
};

const ENDING: &str = "nk";
/// A seed has 58 characters; more than this is no key file.
const FILE_BYTES_MAX: u64 = 1024;

/// Where the keys are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct KeysDir {
    /// Folder of the keys [default: ~/.wash/keys]
    #[arg(long, env = "WASH_KEYS", value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl KeysDir {
    /// Opens the folder, which need not exist.
    ///
    /// # Errors
    /// No folder is named and there is no home.
    pub(crate) fn open(&self) -> Outcome<KeyStore> {
        let named = self.directory.clone().filter(|dir| !dir.as_os_str().is_empty());
        let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        match named.or_else(|| home().map(|home| home.join(".wash/keys"))) {
            Some(dir) => Ok(KeyStore { dir }),
            None => Err(Failure::say(Exit::Refused, "there is no home folder to keep keys in")
                .help("Name a folder: --directory DIR, or WASH_KEYS=DIR")),
        }
    }
}

/// A folder of keys.
#[derive(Debug, Clone)]
pub(crate) struct KeyStore {
    dir: PathBuf,
}

/// One file of it.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The file's name without its ending.
    pub(crate) name: String,
    /// What is in it, or why that is no key.
    pub(crate) key: Result<KeyPair, String>,
    /// Whether others than the owner can read it.
    pub(crate) exposed: bool,
}

impl KeyStore {
    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// All keys, by name.
    ///
    /// # Errors
    /// The folder cannot be read; one that is not there is empty.
    pub(crate) fn list(&self) -> Outcome<Vec<Stored>> {
        let failed = |error| Failure::refused(error).context(format!("cannot read {}", self.dir.display()));
        let listing = match fs::read_dir(&self.dir) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut all = Vec::new();
        for entry in listing {
            let path = entry.map_err(failed)?.path();
            let (Some(stem), Some(ending)) = (path.file_stem(), path.extension()) else { continue };
            if ending == ENDING && path.is_file() {
                let (key, exposed) = match read(&path) {
                    Ok((text, exposed)) => (KeyPair::from_seed(&text).map_err(|e| e.to_string()), exposed),
                    Err(error) => (Err(error.to_string()), false),
                };
                all.push(Stored { name: stem.to_string_lossy().into_owned(), key, exposed });
            }
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// The key named `name` (with or without its ending), if there is one. Warns where others can read it.
    ///
    /// # Errors
    /// The file cannot be read, or holds no key.
    pub(crate) fn load(&self, name: &str, out: &Output) -> Outcome<Option<KeyPair>> {
        let path = self.path(name)?;
        match load_file(&path, out) {
            Ok(key) => Ok(Some(key)),
            Err(LoadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.failure(&path)),
        }
    }

    /// Writes a new key and returns its file.
    ///
    /// # Errors
    /// There is a key of that name, or the file cannot be written.
    pub(crate) fn save(&self, name: &str, key: &KeyPair) -> Outcome<PathBuf> {
        let path = self.path(name)?;
        let failed = |error| Failure::refused(error).context(format!("cannot write {}", path.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir).map_err(failed)?;
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let what =
                    format!("there is a key at {} already, and keys are never overwritten", path.display());
                return Err(
                    Failure::say(Exit::Refused, what).help("Choose another name, or move the old key away.")
                );
            }
            Err(error) => return Err(failed(error)),
        };
        writeln!(file, "{}", key.seed().expose()).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(path)
    }

    /// The key named `name`, made and saved when there is none and `make` allows it, which is then said.
    ///
    /// # Errors
    /// As [`load`](Self::load) and [`save`](Self::save); none is there and none may be made; it is of another kind.
    pub(crate) fn load_or_make(
        &self,
        name: &str,
        kind: KeyKind,
        make: Make,
        out: &Output,
    ) -> Outcome<KeyPair> {
        if let Some(key) = self.load(name, out)? {
            return match PublicKey::of_kind(key.public_key().as_str(), kind) {
                Ok(_) => Ok(key),
                Err(error) => {
                    Err(Failure::refused(error).context(format!("the key {name} is not usable here")))
                }
            };
        }
        if make == Make::Never {
            let what = format!(
                "there is no key {name} in {}, and --disable-keygen forbids making one",
                self.dir.display()
            );
            return Err(Failure::say(Exit::Refused, what).help(format!(
                "Make it: wash keys gen {kind} --name {}",
                name.trim_end_matches(&format!("_{kind}"))
            )));
        }
        let key = KeyPair::generate(kind);
        let path = self.save(name, &key)?;
        out.note(format!(
            "No {kind} key was there, so a new one was made: {} ({})",
            path.display(),
            key.public_key()
        ));
        Ok(key)
    }

    /// The user's own accounts, by name: whom `wash up` trusts.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub(crate) fn accounts(&self) -> Outcome<Vec<(String, PublicKey)>> {
        let keys = self.list()?.into_iter().filter_map(|stored| Some((stored.name, stored.key.ok()?)));
        let accounts = keys.filter(|(_, key)| key.kind() == KeyKind::Account);
        Ok(accounts.map(|(name, key)| (name, key.public_key().clone())).collect())
    }

    fn path(&self, name: &str) -> Outcome<PathBuf> {
        let name = name.strip_suffix(".nk").unwrap_or(name);
        let sound = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | ' ');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(sound) {
            return Err(Failure::say(Exit::Usage, format!("{name:?} cannot be the name of a key"))
                .help("Letters, digits, `-`, `_`, `.` and `@` may stand in it."));
        }
        Ok(self.dir.join(format!("{name}.{ENDING}")))
    }
}

/// Whether a missing key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Make {
    /// On first use, with a notice.
    IfMissing,
    /// It has to be there.
    Never,
}

/// The key that `text` means: a seed, or the path of a file with one, or the name of a stored key.
///
/// # Errors
/// None of those.
pub(crate) fn resolve(text: &str, store: &KeyStore, out: &Output) -> Outcome<KeyPair> {
    let not_a_seed = match KeyPair::from_seed(text) {
        Ok(key) => return Ok(key),
        Err(error @ KeyError::PublicKeyInsteadOfSeed { .. }) => {
            return Err(Failure::refused(error).help("Signing needs the seed (S…), or the path of its file."));
        }
        Err(error) => error,
    };
    let path = Path::new(text);
    if path.is_file() {
        return load_file(path, out).map_err(|error| error.failure(path));
    }
    // A damaged seed must not end up in an error text as if it were a name.
    if looks_like_a_seed(text) {
        return Err(Failure::refused(not_a_seed).help("Copy the seed again, whole."));
    }
    if !text.contains('/')
        && let Some(key) = store.load(text, out)?
    {
        return Ok(key);
    }
    let what = format!("{text:?} is neither a seed, nor a file, nor a key in {}", store.dir().display());
    Err(Failure::say(Exit::Refused, what).help("See the keys there are: wash keys list"))
}

/// The key that signs what is commanded: the one that is named, as [`resolve`] reads it, or the only user key in the folder of the
/// keys, or of several the one that is called as its owner is. None signs nothing.
///
/// # Errors
/// None is what was named, or a key of another kind. A folder that cannot be read holds no key.
pub(crate) fn signing_key(named: Option<&str>) -> Outcome<Option<KeyPair>> {
    let folder = KeysDir { directory: std::env::var_os("WASH_KEYS").map(PathBuf::from) };
    // Whatever is to be said of files is said where keys are listed.
    let silent = Output::new(Format::Json);
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        let key = resolve(named, &folder.open()?, &silent)?;
        return match PublicKey::of_kind(key.public_key().as_str(), KeyKind::User) {
            Ok(_) => Ok(Some(key)),
            Err(error) => Err(Failure::usage(error)
                .context("--signing-key names no key that signs commands")
                .help("name a user key; make one with: wash keys gen user --name NAME")),
        };
    }
    let stored = folder.open().and_then(|store| store.list()).unwrap_or_default();
    let users: Vec<(String, KeyPair)> = stored
        .into_iter()
        .filter_map(|stored| Some((stored.name, stored.key.ok()?)))
        .filter(|(_, key)| key.kind() == KeyKind::User)
        .collect();
    let own = [format!("{}_user", user()), "default_user".to_owned()];
    Ok(match users.as_slice() {
        [(_, only)] => Some(only.clone()),
        several => own
            .iter()
            .find_map(|own| several.iter().find(|(name, _)| name == own))
            .map(|(_, key)| key.clone()),
    })
}

fn looks_like_a_seed(text: &str) -> bool {
    text.len() > 40 && text.starts_with('S') && text.chars().all(|c| c.is_ascii_alphanumeric())
}

enum LoadError {
    Io(io::Error),
    Key(KeyError),
}

impl LoadError {
    fn failure(self, path: &Path) -> Failure {
        let doing = format!("cannot read a key from {}", path.display());
        match self {
            LoadError::Io(error) => Failure::refused(error).context(doing),
            LoadError::Key(error) => Failure::refused(error)
                .context(doing)
                .help("The file should hold one seed, 58 characters: S…"),
        }
    }
}

fn load_file(path: &Path, out: &Output) -> Result<KeyPair, LoadError> {
    let (text, exposed) = read(path).map_err(LoadError::Io)?;
    let key = KeyPair::from_seed(&text).map_err(LoadError::Key)?;
    if exposed {
        out.note(format!("Others can read {}; mend that: chmod 600 {0}", path.display()));
    }
    Ok(key)
}

/// The text of a key file, and whether others can read it.
fn read(path: &Path) -> io::Result<(String, bool)> {
    let file = fs::File::open(path)?;
    let exposed = file.metadata()?.mode() & 0o077 != 0;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok((text, exposed))
}

/// A name for people as a part of a file's name.
pub(crate) fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' }).collect()
}

/// Who this is on this machine, as the first part of the account key's name.
pub(crate) fn user() -> String {
    let named = ["USER", "LOGNAME"].iter().filter_map(std::env::var_os).find(|name| !name.is_empty());
    named.map_or_else(|| "default".to_owned(), |name| file_name(&name.to_string_lossy()))
}
