//! Signing actors into files.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use lattice_claims::{KeyKind, KeyPair, SignActor, SignProvider, create_provider, sign_actor};
use lattice_testkit::actor_file;

/// Unix seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// This machine, as provider archives name it.
pub(crate) fn target() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// The unsigned bytes of an example actor.
///
/// # Errors
/// It is not built.
pub(crate) fn wasm_of(actor: &str) -> anyhow::Result<Vec<u8>> {
    let file = actor_file(actor)?;
    fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// An account that signs, and the folder it signs into.
pub(crate) struct Signer {
    pub(crate) key: KeyPair,
    folder: PathBuf,
}

impl Signer {
    /// A new account.
    pub(crate) fn new(folder: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { key: KeyPair::generate(KeyKind::Account), folder })
    }

    /// Another account that signs into the same folder.
    pub(crate) fn stranger(&self) -> Self {
        Self { key: KeyPair::generate(KeyKind::Account), folder: self.folder.clone() }
    }

    /// The account's public key.
    pub(crate) fn account(&self) -> &str {
        self.key.public_key().as_str()
    }

    /// Where the files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The bytes, signed. No two are alike: each has a subject of its own.
    pub(crate) fn sign(&self, name: &str, wasm: &[u8]) -> anyhow::Result<Vec<u8>> {
        let module = KeyPair::generate(KeyKind::Module);
        let terms = SignActor { name: Some(name.to_owned()), ..SignActor::default() };
        Ok(sign_actor(wasm, &terms, &self.key, module.public_key(), now())?)
    }

    /// An example actor, signed, as a file.
    pub(crate) fn example(&self, actor: &str) -> anyhow::Result<PathBuf> {
        let signed = self.sign(actor, &wasm_of(actor)?)?;
        self.file(&format!("{actor}_s.wasm"), &signed)
    }

    /// A program for this machine, signed as a provider. Where it expires, in unix seconds, it was signed an hour before.
    pub(crate) fn pack(&self, name: &str, program: &[u8], expires: Option<u64>) -> anyhow::Result<Vec<u8>> {
        let subject = KeyPair::generate(KeyKind::Provider);
        let (name, vendor) = (name.to_owned(), "attack".to_owned());
        let terms = SignProvider { name, vendor, expires, ..SignProvider::default() };
        let programs = [(target(), program.to_vec())].into();
        let signed = expires.map_or_else(now, |end| end.saturating_sub(3600));
        Ok(create_provider(&terms, &programs, None, &self.key, subject.public_key(), signed)?)
    }

    /// The same as a file.
    pub(crate) fn provider(&self, name: &str, program: &[u8]) -> anyhow::Result<PathBuf> {
        self.file(name, &self.pack(name, program, None)?)
    }

    /// Writes a file beside the signed ones.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}
