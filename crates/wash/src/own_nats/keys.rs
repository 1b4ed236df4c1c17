//! Seeds in files.

use std::path::{Path, PathBuf};

use lattice_claims::{KeyKind, KeyPair};

use super::folder::cannot;
use crate::{
    failure::{Failure, Outcome},
    files,
};

/// A seed has 58 characters; more than this is no key file.
const FILE_BYTES_MAX: u64 = 1024;

fn file(root: &Path, name: &str) -> PathBuf {
    root.join("keys").join(format!("{name}.nk"))
}

fn kind(name: &str) -> KeyKind {
    match name {
        "operator" => KeyKind::Operator,
        _ if name == ADMIN || name.starts_with("admin-") => KeyKind::User,
        _ => KeyKind::Account,
    }
}

/// The key of the first admin, who signs commands; those of sites end in their names.
pub(super) const ADMIN: &str = "admin";

/// The name of a site's admin.
pub(super) fn admin_of(site: &str) -> String {
    format!("{ADMIN}-{site}")
}

/// True if the key is kept below `root`.
pub(super) fn is_there(root: &Path, name: &str) -> bool {
    file(root, name).is_file()
}

/// Makes a key and keeps it below `root`.
pub(super) fn new(root: &Path, name: &str) -> Outcome<KeyPair> {
    let key = KeyPair::generate(kind(name));
    files::write_private(&file(root, name), format!("{}\n", key.seed().expose()).as_bytes())?;
    Ok(key)
}

/// Reads a key that is kept below `root`.
pub(super) fn load(root: &Path, name: &str) -> Outcome<KeyPair> {
    let file = file(root, name);
    let text = files::read_text(&file, FILE_BYTES_MAX).map_err(|error| cannot("read", &file, error))?;
    let unusable = |why: String| {
        let text = format!("{} does not hold the seed of an {}: {why}", file.display(), kind(name));
        Failure::say(crate::exit::Exit::Refused, text).help("put it back from a copy of the folder")
    };
    let key = KeyPair::from_seed(&text).map_err(|error| unusable(error.to_string()))?;
    match key.kind() == kind(name) {
        true => Ok(key),
        false => Err(unusable(format!("it is of kind {}", key.kind()))),
    }
}
