//! Signing the example actors, and providers, into a temporary folder.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use lattice_claims::{KeyKind, KeyPair, SignActor, SignProvider, create_provider, sign_actor};
use lattice_testkit::actor_file;

/// The unsigned bytes of an example actor.
///
/// # Panics
/// If it is not built.
#[must_use]
pub fn wasm_of(name: &str) -> Vec<u8> {
    fs::read(actor_file(name).expect("the example actors are built")).expect("the actor can be read")
}

/// Unix seconds.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// An account that signs, and the folder it signs into.
pub struct Signer {
    account: KeyPair,
    folder: PathBuf,
}

impl Signer {
    /// A new account that signs into `folder`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { account: KeyPair::generate(KeyKind::Account), folder: folder.to_owned() }
    }

    /// The account's public key.
    #[must_use]
    pub fn account(&self) -> &str {
        self.account.public_key().as_str()
    }

    /// Signs the example actor `name` and gives the file.
    ///
    /// # Panics
    /// If the actor is not built, or the file cannot be written.
    #[must_use]
    pub fn example(&self, name: &str) -> PathBuf {
        let wasm = wasm_of(name);
        let terms = SignActor { name: Some(name.to_owned()), ..SignActor::default() };
        self.signed(&format!("{name}_s.wasm"), &wasm, &terms)
    }

    /// Signs any bytes under any terms into a file of that name.
    ///
    /// # Panics
    /// If they cannot be signed, or the file cannot be written.
    #[must_use]
    pub fn signed(&self, file: &str, wasm: &[u8], terms: &SignActor) -> PathBuf {
        self.signed_at(file, wasm, terms, now())
    }

    /// As [`Signer::signed`], by a clock that shows `at`, in unix seconds.
    ///
    /// # Panics
    /// As there.
    #[must_use]
    pub fn signed_at(&self, file: &str, wasm: &[u8], terms: &SignActor, at: u64) -> PathBuf {
        let module = KeyPair::generate(KeyKind::Module);
        let signed =
            sign_actor(wasm, terms, &self.account, module.public_key(), at).expect("the bytes can be signed");
        self.file(file, &signed)
    }

    /// Signs a program for this machine as a provider, and gives the archive.
    ///
    /// # Panics
    /// If it cannot be packed, or the file cannot be written.
    #[must_use]
    pub fn provider(&self, file: &str, program: &[u8]) -> PathBuf {
        let subject = KeyPair::generate(KeyKind::Provider);
        let sign =
            SignProvider { name: file.to_owned(), vendor: "tests".to_owned(), ..SignProvider::default() };
        let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        let programs = [(target, program.to_vec())].into();
        let packed = create_provider(&sign, &programs, None, &self.account, subject.public_key(), now());
        self.file(file, &packed.expect("the program can be packed"))
    }

    /// Writes a file beside the signed ones.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, bytes).expect("the file can be written");
        path
    }
}
