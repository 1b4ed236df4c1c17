//! Provider archives: a tar, perhaps gzipped, of `claims.jwt`, one `{arch}-{os}.bin` per target and perhaps `world.wasm`.
//!
//! wasmCloud 1.x compares the hashes but not the signature, so any self-made archive passes there; here both must fit.
//! Nothing is written to disk, and entries are accepted by exact name only, so a path has nothing to escape from.

use std::{
    cell::Cell,
    collections::BTreeMap,
    io::{self, Read},
};

use data_encoding::HEXUPPER;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sha2::{Digest, Sha256};

use crate::{
    entities::ProviderMetadata,
    error::{SignError, VerifyError},
    jwt::{Claims, TOKEN_BYTES_MAX, decode_unverified, sign_token, verify_token},
    keys::{KeyKind, KeyPair, PublicKey, shown, shown_reason},
    signing::check_kind,
    trust::Trust,
};

const CLAIMS: &str = "claims.jwt";
const WORLD: &str = "world.wasm";
const BINARY_SUFFIX: &str = ".bin";

/// How much an archive may hold.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveLimits {
    /// Bytes after unpacking, all entries and their headers together.
    pub unpacked_bytes_max: u64,
    /// Entries.
    pub entries_max: usize,
}

impl Default for ArchiveLimits {
    /// 1 GiB and 64 entries: room for a dozen targets of a large provider.
    fn default() -> ArchiveLimits {
        ArchiveLimits { unpacked_bytes_max: 1024 * 1024 * 1024, entries_max: 64 }
    }
}

/// Why an archive was refused, or could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// Its claims are not signed well enough.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Its claims could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// It is no tar, no gzip, or cut short.
    #[error("the archive is damaged or no provider archive: {reason}")]
    Damaged {
        /// What was wrong.
        reason: String,
    },
    /// It unpacks to more than allowed.
    #[error("the archive unpacks to more than {max} bytes")]
    TooLarge {
        /// The limit.
        max: u64,
    },
    /// It has more entries than allowed.
    #[error("the archive has more than {max} entries")]
    TooManyEntries {
        /// The limit.
        max: usize,
    },
    /// An entry is named as no entry of a provider archive is.
    #[error("the archive holds {name:?}; allowed are claims.jwt, world.wasm and ARCH-OS.bin")]
    BadName {
        /// Its name, cut short.
        name: String,
    },
    /// An entry is no plain file.
    #[error("the archive's entry {name:?} is a {kind}, where a plain file is wanted")]
    NotAFile {
        /// Its name, cut short.
        name: String,
        /// What it is.
        kind: String,
    },
    /// A name stands in it twice. Readers would disagree on which counts, so neither does.
    #[error("the archive holds {name} twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// There is no `claims.jwt`.
    #[error("the archive is not signed: it holds no claims.jwt")]
    NoClaims,
    /// There is no `ARCH-OS.bin`.
    #[error("the archive holds no ARCH-OS.bin, so there is nothing to run")]
    NoBinary,
    /// A file is another than the signed one.
    #[error("{file} was changed after it was signed: the signed hash is {expected}, the file's is {actual}")]
    Tampered {
        /// Target, or `world.wasm`.
        file: String,
        /// The hash in the claims.
        expected: String,
        /// The hash of the file.
        actual: String,
    },
    /// A file has no hash in the claims.
    #[error("{file} is not covered by the signature")]
    NotCovered {
        /// Target, or `world.wasm`.
        file: String,
    },
    /// There is no binary for the wanted target.
    #[error("the provider has no binary for {target}, only for {}", available.join(", "))]
    NoTarget {
        /// The wanted one.
        target: String,
        /// Those it has.
        available: Vec<String>,
    },
}

/// What an archive holds, **not verified**.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderContents {
    /// The token's text.
    pub token: String,
    /// What it says.
    pub claims: Claims<ProviderMetadata>,
    /// Target (or `world.wasm`) → upper-case hex SHA-256 of the file that is there.
    pub hashes: BTreeMap<String, String>,
}

/// A provider whose claims and files passed every check.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifiedProvider {
    /// The token's text.
    pub token: String,
    /// What it says.
    pub claims: Claims<ProviderMetadata>,
    /// Who signed: an `A…` key.
    pub issuer: PublicKey,
    /// Who it is: a `V…` key.
    pub subject: PublicKey,
    /// The targets it has a binary for.
    pub targets: Vec<String>,
    /// The binary for the target that was asked for.
    pub binary: Option<Vec<u8>>,
    /// Its WIT package in wasm form.
    pub world: Option<Vec<u8>>,
}

/// What to write into a provider's claims, and how to pack it. Times are unix seconds.
#[derive(Debug, Clone, Default)]
pub struct SignProvider {
    /// A name for people.
    pub name: String,
    /// Who made it.
    pub vendor: String,
    /// A version for people.
    pub version: Option<String>,
    /// A number that grows with each release.
    pub revision: Option<i32>,
    /// A JSON schema of its link configuration.
    pub config_schema: Option<serde_json::Value>,
    /// The last second in which the signature counts.
    pub expires: Option<u64>,
    /// When the signature begins to count.
    pub not_before: Option<u64>,
    /// Whether to gzip it (`.par.gz`).
    pub compress: Compress,
}

/// Whether an archive is gzipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compress {
    /// `.par`
    #[default]
    No,
    /// `.par.gz`
    Gzip,
}

/// Signs and packs a provider: `binaries` is target (`x86_64-linux`) → executable.
///
/// # Errors
/// `BadName` for a target that is none, `NoBinary`, and what signing refuses.
pub fn create_provider(
    sign: &SignProvider,
    binaries: &BTreeMap<String, Vec<u8>>,
    world: Option<&[u8]>,
    issuer: &KeyPair,
    subject: &PublicKey,
    now: u64,
) -> Result<Vec<u8>, ArchiveError> {
    check_kind("subject", subject, &[KeyKind::Provider])?;
    if binaries.is_empty() {
        return Err(ArchiveError::NoBinary);
    }
    let mut hashes = BTreeMap::new();
    for (target, binary) in binaries {
        if !is_target(target) {
            return Err(ArchiveError::BadName { name: shown(target) });
        }
        hashes.insert(target.clone(), hash(binary));
    }
    if let Some(world) = world {
        hashes.insert(WORLD.to_owned(), hash(world));
    }
    let metadata = ProviderMetadata {
        name: Some(sign.name.clone()),
        vendor: sign.vendor.clone(),
        revision: sign.revision,
        version: sign.version.clone(),
        target_hashes: hashes,
        config_schema: sign.config_schema.clone(),
        capid: None,
    };
    let mut claims = Claims::new(issuer.public_key(), subject, metadata, now);
    claims.expires = sign.expires;
    claims.not_before = sign.not_before;
    let token = sign_token(&claims, issuer)?;
    pack(&token, binaries, world, sign.compress)
        .map_err(|error| ArchiveError::Damaged { reason: format!("packing failed: {error}") })
}

fn pack(
    token: &str,
    binaries: &BTreeMap<String, Vec<u8>>,
    world: Option<&[u8]>,
    compress: Compress,
) -> io::Result<Vec<u8>> {
    fn add(tar: &mut tar::Builder<Vec<u8>>, name: &str, mode: u32, data: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(mode);
        // No time: the same input gives the same archive, but for the token.
        header.set_mtime(0);
        tar.append_data(&mut header, name, data)
    }
    let mut tar = tar::Builder::new(Vec::new());
    // Readers of 2021 want the claims first.
    add(&mut tar, CLAIMS, 0o644, token.as_bytes())?;
    if let Some(world) = world {
        add(&mut tar, WORLD, 0o644, world)?;
    }
    for (target, binary) in binaries {
        add(&mut tar, &format!("{target}{BINARY_SUFFIX}"), 0o755, binary)?;
    }
    let packed = tar.into_inner()?;
    match compress {
        Compress::No => Ok(packed),
        Compress::Gzip => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            io::Write::write_all(&mut gzip, &packed)?;
            gzip.finish()
        }
    }
}

/// Reads what an archive holds, without verifying the claims or comparing hashes.
///
/// # Errors
/// A file that is no provider archive, or over a limit.
pub fn inspect_provider(archive: &[u8], limits: &ArchiveLimits) -> Result<ProviderContents, ArchiveError> {
    let unpacked = unpack(archive, None, limits)?;
    let claims = decode_unverified(&unpacked.token)?;
    Ok(ProviderContents { token: unpacked.token, claims, hashes: unpacked.hashes })
}

/// Checks an archive at the time `now` (unix seconds): signature, the hash of every file in it, issuer, times. With a
/// `target`, its binary is returned too; the others are hashed and let go.
///
/// # Errors
/// The first check that fails, by name.
pub fn verify_provider(
    archive: &[u8],
    target: Option<&str>,
    trust: &Trust,
    now: u64,
    limits: &ArchiveLimits,
) -> Result<VerifiedProvider, ArchiveError> {
    let unpacked = unpack(archive, target, limits)?;
    let claims: Claims<ProviderMetadata> = verify_token(&unpacked.token)?;
    let (issuer, subject) = claims.parties()?;
    let none = BTreeMap::new();
    let signed = claims.metadata.as_ref().map_or(&none, |metadata| &metadata.target_hashes);
    for (file, actual) in &unpacked.hashes {
        let expected = signed.get(file).ok_or_else(|| ArchiveError::NotCovered { file: file.clone() })?;
        if expected != actual {
            return Err(ArchiveError::Tampered {
                file: file.clone(),
                expected: shown(expected),
                actual: actual.clone(),
            });
        }
    }
    trust.check(&issuer)?;
    claims.check_times(now)?;
    let targets: Vec<String> = unpacked.hashes.into_keys().filter(|file| file != WORLD).collect();
    if let (Some(target), None) = (target, &unpacked.binary) {
        return Err(ArchiveError::NoTarget { target: target.to_owned(), available: targets });
    }
    Ok(VerifiedProvider {
        token: unpacked.token,
        claims,
        issuer,
        subject,
        targets,
        binary: unpacked.binary,
        world: unpacked.world,
    })
}

struct Unpacked {
    token: String,
    hashes: BTreeMap<String, String>,
    binary: Option<Vec<u8>>,
    world: Option<Vec<u8>>,
}

fn damaged(reason: impl ToString) -> ArchiveError {
    ArchiveError::Damaged { reason: shown_reason(reason) }
}

/// A reader that fails once it has given `left` bytes: a small archive cannot unpack into all memory.
struct Limited<'a, R> {
    inner: R,
    left: u64,
    exceeded: &'a Cell<bool>,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => {
                self.exceeded.set(true);
                Err(io::Error::other("the archive is too large"))
            }
        }
    }
}

fn unpack(archive: &[u8], target: Option<&str>, limits: &ArchiveLimits) -> Result<Unpacked, ArchiveError> {
    let exceeded = Cell::new(false);
    let inner: Box<dyn Read + '_> = if archive.starts_with(&[0x1f, 0x8b]) {
        Box::new(GzDecoder::new(archive))
    } else {
        Box::new(archive)
    };
    let limited = Limited { inner, left: limits.unpacked_bytes_max, exceeded: &exceeded };
    unpack_tar(limited, target, limits).map_err(|error| match error {
        _ if exceeded.get() => ArchiveError::TooLarge { max: limits.unpacked_bytes_max },
        other => other,
    })
}

fn unpack_tar(
    reader: impl Read,
    target: Option<&str>,
    limits: &ArchiveLimits,
) -> Result<Unpacked, ArchiveError> {
    let mut token = None;
    let mut hashes = BTreeMap::new();
    let mut binary = None;
    let mut world = None;
    let mut archive = tar::Archive::new(reader);
    // Raw: entries that rename or resize other entries are shown as what they are, and refused below.
    for (index, entry) in archive.entries().map_err(damaged)?.raw(true).enumerate() {
        if index >= limits.entries_max {
            return Err(ArchiveError::TooManyEntries { max: limits.entries_max });
        }
        let mut entry = entry.map_err(damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if !kind.is_file() {
            return Err(ArchiveError::NotAFile { name: shown(&name), kind: format!("{kind:?}") });
        }
        if name == CLAIMS {
            let bytes = read_whole(&mut entry, Some(TOKEN_BYTES_MAX))?;
            let text = String::from_utf8(bytes).map_err(|_| damaged("claims.jwt is not text"))?;
            if token.replace(text).is_some() {
                return Err(ArchiveError::Duplicate { name });
            }
            continue;
        }
        let file = match name.strip_suffix(BINARY_SUFFIX) {
            Some(target) if is_target(target) => target,
            None if name == WORLD => WORLD,
            _ => return Err(ArchiveError::BadName { name: shown(&name) }),
        };
        let digest = if file == WORLD || Some(file) == target {
            let bytes = read_whole(&mut entry, None)?;
            let digest = hash(&bytes);
            *(if file == WORLD { &mut world } else { &mut binary }) = Some(bytes);
            digest
        } else {
            hash_whole(&mut entry)?
        };
        if hashes.insert(file.to_owned(), digest).is_some() {
            return Err(ArchiveError::Duplicate { name });
        }
    }
    if !hashes.keys().any(|file| file != WORLD) {
        return Err(if token.is_some() {
            ArchiveError::NoBinary
        } else {
            damaged("it holds no entry we know")
        });
    }
    Ok(Unpacked { token: token.ok_or(ArchiveError::NoClaims)?, hashes, binary, world })
}

/// Reads an entry to its end. Its length is what arrives, never what its header promises.
fn read_whole(entry: &mut tar::Entry<'_, impl Read>, max: Option<usize>) -> Result<Vec<u8>, ArchiveError> {
    let promised = entry.size();
    if max.is_some_and(|max| promised > max as u64) {
        return Err(damaged("claims.jwt is too long"));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(damaged)?;
    cut_short(promised, bytes.len() as u64)?;
    Ok(bytes)
}

fn hash_whole(entry: &mut tar::Entry<'_, impl Read>) -> Result<String, ArchiveError> {
    let promised = entry.size();
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut total = 0;
    loop {
        let read = entry.read(&mut buffer).map_err(damaged)?;
        if read == 0 {
            break;
        }
        total += read as u64;
        digest.update(&buffer[..read]);
    }
    cut_short(promised, total)?;
    Ok(HEXUPPER.encode(&digest.finalize()))
}

fn cut_short(promised: u64, found: u64) -> Result<(), ArchiveError> {
    if promised == found { Ok(()) } else { Err(damaged("it is cut short")) }
}

fn hash(bytes: &[u8]) -> String {
    HEXUPPER.encode(&Sha256::digest(bytes))
}

/// `ARCH-OS` as Rust names them: no dots, no slashes.
fn is_target(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    text.len() <= 64 && text.split_once('-').is_some_and(|(arch, os)| part(arch) && part(os))
}
