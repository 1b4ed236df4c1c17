//! Random and damaged bytes give errors, never panics; stripping is idempotent on whatever can be stripped.

use crate::fixtures::{NOW, account, component, custom, module, module_key, pad_lengths, section, wrap};
use lattice_claims::{
    ArchiveLimits, KeyPair, PublicKey, SignActor, Trust, canonical_hash, decode_token, extract_token,
    inspect_actor, inspect_provider, sign_actor, strip_claims, verify_actor, verify_provider,
};
use proptest::prelude::*;

fn limits() -> ArchiveLimits {
    ArchiveLimits { unpacked_bytes_max: 1 << 20, entries_max: 8 }
}

/// Asks everything of these bytes; answers do not matter here.
fn ask_everything(bytes: &[u8]) {
    let trust = Trust::any_issuer();
    let _ = verify_actor(bytes, &trust, NOW);
    let _ = inspect_actor(bytes);
    let _ = extract_token(bytes);
    let _ = inspect_provider(bytes, &limits());
    let _ = verify_provider(bytes, Some("x86_64-linux"), &trust, NOW, &limits());
    if let Ok(stripped) = strip_claims(bytes) {
        assert_eq!(strip_claims(&stripped).unwrap(), stripped, "stripping twice changes nothing more");
        assert_eq!(canonical_hash(&stripped), canonical_hash(bytes));
        assert_eq!(extract_token(&stripped).unwrap(), None);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = decode_token(text);
        let _ = text.parse::<PublicKey>();
        let _ = KeyPair::from_seed(text);
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let signed =
        sign_actor(&component(), &SignActor::default(), &account(), module_key().public_key(), NOW).unwrap();
    let signed_module =
        sign_actor(&module(), &SignActor::default(), &account(), module_key().public_key(), NOW).unwrap();
    let nested = wrap(true, &[section(1, &signed_module, true), custom("jwt", b"a.b.c", true)].concat());
    vec![signed, signed_module, pad_lengths(&component()), nested]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        ask_everything(&bytes);
        ask_everything(&[&b"\0asm\x01\0\0\0"[..], &bytes].concat());
        ask_everything(&[&b"\0asm\x0d\0\x01\0"[..], &bytes].concat());
        ask_everything(&[&[0x1f, 0x8b, 8, 0][..], &bytes].concat());
    }

    #[test]
    fn random_text(text in "\\PC{0,200}", token in "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,90}",
                   key in "S?[ANMVOCUX][A-Z2-7]{50,58}") {
        ask_everything(text.as_bytes());
        ask_everything(token.as_bytes());
        ask_everything(key.as_bytes());
    }

    #[test]
    fn random_json_in_tokens(header in "\\PC{0,40}", body in "[{}\\[\\]\",:a-z0-9.-]{0,120}") {
        let encode = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
        ask_everything(format!("{}.{}.AAAA", encode(&header), encode(&body)).as_bytes());
    }

    #[test]
    fn damaged_files(which in 0_usize..4, at in any::<prop::sample::Index>(), value: u8, cut in any::<prop::sample::Index>()) {
        let mut bytes = seeds().swap_remove(which);
        let at = at.index(bytes.len());
        bytes[at] = value;
        ask_everything(&bytes);
        let cut = cut.index(bytes.len());
        ask_everything(&bytes[..cut]);
    }
}

#[test]
fn deep_and_huge_promises_are_refused_quickly() {
    // A section that says it is 4 GiB long, a name longer than its section, a module cut in its middle.
    for tail in
        [&b"\x00\xff\xff\xff\xff\x0f"[..], b"\x00\x02\x7fa", b"\x01\x10\0asm\x01\0\0\0", b"\x0a\x05\x01"]
    {
        for header in [&b"\0asm\x01\0\0\0"[..], b"\0asm\x0d\0\x01\0"] {
            let bytes = [header, tail].concat();
            assert!(canonical_hash(&bytes).is_err(), "{bytes:?}");
            ask_everything(&bytes);
        }
    }
}
