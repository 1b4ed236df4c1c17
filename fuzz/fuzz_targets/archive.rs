//! Provider archives. The first byte says whether the rest is one as it stands, a list of entries around which headers with the
//! right checksum are made, or changes to one that is well signed; and whether it is gzipped here: no fuzzer finds checksums.
#![no_main]

use std::{collections::BTreeMap, io::Write as _, sync::LazyLock};

use flate2::{Compression, write::GzEncoder};
use lattice_claims::{
    ArchiveLimits, KeyKind, KeyPair, SignProvider, Trust, create_provider, inspect_provider, verify_provider,
};
use lattice_fuzz::{bounded, told};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_800_000_000;
const LIMITS: ArchiveLimits = ArchiveLimits { unpacked_bytes_max: 1 << 20, entries_max: 8 };

static ACCOUNT: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeyKind::Account));
static SIGNED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let sign = SignProvider { name: "kv".to_owned(), ..SignProvider::default() };
    let binaries = BTreeMap::from([(TARGET.to_owned(), BINARY.to_vec())]);
    let provider = KeyPair::generate(KeyKind::Provider);
    create_provider(&sign, &binaries, None, &ACCOUNT, provider.public_key(), NOW).expect("it can be signed")
});
const TARGET: &str = "x86_64-linux";
const BINARY: &[u8] = b"\x7fELF and more";

// Beside the input's own size an archive may take what it may unpack to, twice: as it grows, and where it goes.
fuzz_target!(|data: &[u8]| bounded(data, 2048, read));

fn read(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    if how & 4 != 0 {
        return changed(rest);
    }
    let mut archive = if how & 1 == 0 { rest.to_vec() } else { packed(rest) };
    if how & 2 != 0 {
        archive = gzipped(&archive);
    }
    let inspected = inspect_provider(&archive, &LIMITS);
    let verified = verify_provider(&archive, Some(TARGET), &Trust::any_issuer(), NOW, &LIMITS);
    match verified {
        Ok(provider) => {
            let inspected = inspected.expect("what verifies can be looked at");
            assert_eq!((inspected.token, inspected.claims), (provider.token, provider.claims));
            assert!(provider.binary.is_some_and(|binary| binary.len() as u64 <= LIMITS.unpacked_bytes_max));
        }
        Err(error) => told(error),
    }
}

/// Whoever changes a signed archive, three bytes of input each, cannot change what is run.
fn changed(changes: &[u8]) {
    let mut archive = SIGNED.clone();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % archive.len();
        archive[at] = change[2];
    }
    let trust = Trust::accounts([ACCOUNT.public_key()]).expect("the key of an account");
    if let Ok(provider) = verify_provider(&archive, Some(TARGET), &trust, NOW, &LIMITS) {
        assert_eq!(provider.binary.as_deref(), Some(BINARY), "this was signed, and nothing else");
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).expect("memory takes it");
    gzip.finish().expect("memory takes it")
}

/// Entries: a byte for the name, one for the type, one for how the size is told, one for the length, and the data.
fn packed(mut rest: &[u8]) -> Vec<u8> {
    const NAMES: [&str; 8] = [
        "claims.jwt",
        "x86_64-linux.bin",
        "aarch64-macos.bin",
        "world.wasm",
        "../../etc/passwd",
        "./claims.jwt",
        "x86_64-linux.bin/",
        "a\u{fffd}.bin",
    ];
    let mut archive = Vec::new();
    while let [name, kind, size, length, more @ ..] = rest {
        let (data, after) = more.split_at(more.len().min(usize::from(*length)));
        rest = after;
        let mut header = if size & 1 == 0 { tar::Header::new_ustar() } else { tar::Header::new_gnu() };
        let name = NAMES[usize::from(name % 8)].as_bytes();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_size(match size % 8 {
            6 => u64::MAX,
            7 => 1 << 40,
            other => data.len() as u64 + u64::from(other / 4),
        });
        header.set_cksum();
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(data);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.extend_from_slice(&[0; 1024]);
    archive
}
