//! Provider archives: made and verified, and every way to spoil one.

use std::{collections::BTreeMap, io::Write};

use crate::fixtures::{NOW, account};
use lattice_claims::{
    ArchiveError, ArchiveLimits, Compress, KeyKind, KeyPair, SignProvider, Trust, VerifyError,
    create_provider, inspect_provider, verify_provider,
};

const LINUX: &str = "x86_64-linux";

struct Setup {
    account: KeyPair,
    provider: KeyPair,
    binaries: BTreeMap<String, Vec<u8>>,
}

impl Setup {
    fn new() -> Setup {
        let binaries = BTreeMap::from([
            (LINUX.to_owned(), b"\x7fELF linux".to_vec()),
            ("aarch64-macos".to_owned(), vec![7; 100_000]),
        ]);
        Setup { account: account(), provider: KeyPair::generate(KeyKind::Provider), binaries }
    }

    fn trust(&self) -> Trust {
        Trust::accounts([self.account.public_key()]).unwrap()
    }

    fn create(&self, sign: &SignProvider) -> Vec<u8> {
        let world = Some(&b"\0asm world"[..]);
        create_provider(sign, &self.binaries, world, &self.account, self.provider.public_key(), NOW).unwrap()
    }

    fn archive(&self) -> Vec<u8> {
        self.create(&SignProvider { name: "kv".to_owned(), ..SignProvider::default() })
    }

    fn token(&self) -> String {
        inspect_provider(&self.archive(), &ArchiveLimits::default()).unwrap().token
    }

    fn error(&self, archive: &[u8]) -> ArchiveError {
        verify_provider(archive, Some(LINUX), &self.trust(), NOW, &ArchiveLimits::default()).unwrap_err()
    }
}

fn tar(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, kind, data) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(data.len() as u64);
        header.set_cksum();
        tar.append(&header, *data).unwrap();
    }
    tar.into_inner().unwrap()
}

const FILE: tar::EntryType = tar::EntryType::Regular;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn what_was_packed_is_read_plain_and_gzipped() {
    let setup = Setup::new();
    for compress in [Compress::No, Compress::Gzip] {
        let sign = SignProvider {
            name: "kv".to_owned(),
            vendor: "acme".to_owned(),
            version: Some("1.0.0".to_owned()),
            revision: Some(2),
            compress,
            ..SignProvider::default()
        };
        let archive = setup.create(&sign);
        assert_eq!(archive.starts_with(&[0x1f, 0x8b]), compress == Compress::Gzip);
        let limits = ArchiveLimits::default();
        let read = verify_provider(&archive, Some(LINUX), &setup.trust(), NOW, &limits).unwrap();
        assert_eq!(read.binary.as_deref(), Some(&b"\x7fELF linux"[..]));
        assert_eq!(read.world.as_deref(), Some(&b"\0asm world"[..]));
        assert_eq!(read.targets, ["aarch64-macos", LINUX]);
        assert_eq!(&read.subject, setup.provider.public_key());
        let metadata = read.claims.metadata.unwrap();
        assert_eq!((metadata.vendor.as_str(), metadata.version.as_deref()), ("acme", Some("1.0.0")));
        assert_eq!(verify_provider(&archive, None, &setup.trust(), NOW, &limits).unwrap().binary, None);
        let missing =
            verify_provider(&archive, Some("sparc-plan9"), &setup.trust(), NOW, &limits).unwrap_err();
        assert!(
            matches!(&missing, ArchiveError::NoTarget { available, .. } if available.len() == 2),
            "{missing}"
        );
    }
}

#[test]
fn changed_added_and_unsigned_files_are_named() {
    let setup = Setup::new();
    let token = setup.token();
    let claims = ("claims.jwt", FILE, token.as_bytes());
    let linux = ("x86_64-linux.bin", FILE, &b"\x7fELF linux"[..]);
    let fine = tar(&[linux, claims]);
    assert!(verify_provider(&fine, Some(LINUX), &setup.trust(), NOW, &ArchiveLimits::default()).is_ok());

    let changed = setup.error(&tar(&[claims, ("x86_64-linux.bin", FILE, b"evil")]));
    assert!(matches!(&changed, ArchiveError::Tampered { file, .. } if file == LINUX), "{changed}");
    let changed = setup.error(&tar(&[claims, linux, ("aarch64-macos.bin", FILE, b"evil")]));
    assert!(matches!(&changed, ArchiveError::Tampered { file, .. } if file == "aarch64-macos"), "{changed}");
    let changed = setup.error(&tar(&[claims, linux, ("world.wasm", FILE, b"evil")]));
    assert!(matches!(&changed, ArchiveError::Tampered { file, .. } if file == "world.wasm"), "{changed}");
    let added = setup.error(&tar(&[claims, linux, ("riscv64-linux.bin", FILE, b"evil")]));
    assert!(matches!(&added, ArchiveError::NotCovered { file } if file == "riscv64-linux"), "{added}");
    assert!(matches!(setup.error(&tar(&[linux])), ArchiveError::NoClaims));
    assert!(matches!(setup.error(&tar(&[claims])), ArchiveError::NoBinary));
    assert!(matches!(setup.error(&tar(&[claims, linux, linux])), ArchiveError::Duplicate { .. }));
    assert!(matches!(setup.error(&tar(&[claims, claims, linux])), ArchiveError::Duplicate { .. }));
}

#[test]
fn signature_issuer_and_times_are_checked_too() {
    let setup = Setup::new();
    let token = setup.token();
    let stranger = Setup::new();
    let untrusted = stranger.error(&setup.archive());
    assert!(matches!(untrusted, ArchiveError::Verify(VerifyError::UntrustedIssuer { .. })), "{untrusted}");

    // The claims rewritten, the signature kept: what wasmCloud 1.x would load.
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let body = data_encoding::BASE64URL_NOPAD.decode(parts[1].as_bytes()).unwrap();
    let body = String::from_utf8(body).unwrap().replace("\"kv\"", "\"evil\"");
    parts[1] = data_encoding::BASE64URL_NOPAD.encode(body.as_bytes());
    let forged = parts.join(".");
    let linux = ("x86_64-linux.bin", FILE, &b"\x7fELF linux"[..]);
    let error = setup.error(&tar(&[("claims.jwt", FILE, forged.as_bytes()), linux]));
    assert!(matches!(error, ArchiveError::Verify(VerifyError::BadSignature { .. })), "{error}");

    let sign = SignProvider { expires: Some(NOW + 1), not_before: Some(NOW), ..SignProvider::default() };
    let archive = setup.create(&sign);
    let limits = ArchiveLimits::default();
    let at = |now| verify_provider(&archive, None, &setup.trust(), now, &limits).map(|_| ());
    assert!(at(NOW - 3600).unwrap_err().to_string().contains("valid from"));
    assert!(at(NOW).is_ok());
    assert!(at(NOW + 2).unwrap_err().to_string().contains("expired"));
}

#[test]
fn paths_links_and_extensions_are_refused() {
    let setup = Setup::new();
    let token = setup.token();
    let claims = ("claims.jwt", FILE, token.as_bytes());
    for name in [
        "../x86_64-linux.bin",
        "/x86_64-linux.bin",
        "./claims.jwt",
        "a/b-c.bin",
        "x86_64-linux.bin/",
        "..-...bin",
        ".bin",
        "-.bin",
        "readme.txt",
        "x86_64-li\u{e9}.bin",
        "CLAIMS.JWT",
    ] {
        let error = setup.error(&tar(&[claims, (name, FILE, b"x")]));
        assert!(matches!(error, ArchiveError::BadName { .. }), "{name}: {error}");
    }
    for kind in [
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Directory,
        tar::EntryType::Fifo,
        tar::EntryType::Char,
        tar::EntryType::GNULongName,
        tar::EntryType::GNUSparse,
        tar::EntryType::XHeader,
        tar::EntryType::XGlobalHeader,
        tar::EntryType::Continuous,
    ] {
        let error = setup.error(&tar(&[claims, ("x86_64-linux.bin", kind, b"x")]));
        assert!(matches!(error, ArchiveError::NotAFile { .. }), "{kind:?}: {error}");
    }
}

#[test]
fn bombs_and_cut_files_are_refused() {
    let setup = Setup::new();
    let token = setup.token();
    let claims = ("claims.jwt", FILE, token.as_bytes());
    let limits = ArchiveLimits { unpacked_bytes_max: 1 << 20, entries_max: 4 };
    let verify =
        |archive: &[u8]| verify_provider(archive, Some(LINUX), &setup.trust(), NOW, &limits).unwrap_err();
    let zeros = vec![0; 64 << 20];
    let bomb = gzip(&tar(&[claims, ("x86_64-linux.bin", FILE, &zeros)]));
    assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
    assert!(matches!(verify(&bomb), ArchiveError::TooLarge { .. }));
    // In an entry that is only skipped, and in one that is only hashed.
    assert!(matches!(verify(&gzip(&tar(&[("a-b.bin", FILE, &zeros)]))), ArchiveError::TooLarge { .. }));
    assert!(matches!(verify(&gzip(&tar(&[("claims.jwt", FILE, &zeros)]))), ArchiveError::Damaged { .. }));
    let many: Vec<_> =
        ["a-a.bin", "a-b.bin", "a-c.bin", "a-d.bin", "a-e.bin"].map(|n| (n, FILE, &b""[..])).into();
    assert!(matches!(verify(&tar(&many)), ArchiveError::TooManyEntries { max: 4 }));
    let whole = setup.archive();
    let end = whole.len() - 1024;
    for len in (0..end).step_by(301) {
        assert!(setup.error(&whole[..len]).to_string().len() > 10, "cut to {len}");
    }
    let zipped = setup.create(&SignProvider { compress: Compress::Gzip, ..SignProvider::default() });
    for len in (0..zipped.len() - 8).step_by(7) {
        // What is missing may be the end marker alone; everything else is noticed.
        let cut =
            verify_provider(&zipped[..len], Some(LINUX), &setup.trust(), NOW, &ArchiveLimits::default());
        assert!(cut.is_err() || len + 64 > zipped.len(), "cut to {len} of {}", zipped.len());
    }
}

#[test]
fn nothing_unusable_is_packed() {
    let setup = Setup::new();
    let subject = setup.provider.public_key();
    let sign = SignProvider::default();
    let create = |target: &str| {
        let binaries = BTreeMap::from([(target.to_owned(), vec![1])]);
        create_provider(&sign, &binaries, None, &setup.account, subject, NOW)
    };
    assert!(create(LINUX).is_ok());
    for target in ["", "x86_64", "../x-y", "a-b/c", "a-b.c"] {
        assert!(matches!(create(target), Err(ArchiveError::BadName { .. })), "{target:?}");
    }
    let none = BTreeMap::new();
    let error = create_provider(&sign, &none, None, &setup.account, subject, NOW).unwrap_err();
    assert!(matches!(error, ArchiveError::NoBinary));
    let wrong =
        create_provider(&sign, &setup.binaries, None, &setup.account, setup.account.public_key(), NOW);
    assert!(matches!(wrong, Err(ArchiveError::Sign(_))));
}
