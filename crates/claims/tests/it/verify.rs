//! What is refused, and by which name: tampering, times on an injected clock, trust, old signatures, several signatures.

use crate::fixtures::{NOW, account, component, custom, module, module_key, pad_lengths, section, wrap};
use data_encoding::{BASE64URL_NOPAD, HEXUPPER};
use lattice_claims::{
    ActorMetadata, Claims, HashCheck, KeyKind, KeyPair, SectionError, SignActor, SignError, Trust,
    VerifyError, embed_token, inspect_actor, sign_actor, sign_token, verify_actor, verify_token,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn trust(account: &KeyPair) -> Trust {
    Trust::accounts([account.public_key()]).unwrap()
}

fn signed(sign: &SignActor, account: &KeyPair) -> Vec<u8> {
    sign_actor(&component(), sign, account, module_key().public_key(), NOW).unwrap()
}

/// A token with any header and body, really signed.
fn token(account: &KeyPair, header: &str, body: &str) -> String {
    let text =
        format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(body.as_bytes()));
    let key = nkeys::KeyPair::from_seed(account.seed().expose()).unwrap();
    let signature = BASE64URL_NOPAD.encode(&key.sign(text.as_bytes()).unwrap());
    format!("{text}.{signature}")
}

const HEADER: &str = r#"{"typ":"jwt","alg":"Ed25519"}"#;

fn body(account: &KeyPair, rest: &str) -> String {
    let subject = module_key();
    format!(
        r#"{{"jti":"x","iat":{NOW},"iss":"{}","sub":"{}"{rest}}}"#,
        account.public_key(),
        subject.public_key()
    )
}

fn metadata(hash: &str) -> String {
    format!(r#","wascap":{{"name":"old","hash":"{hash}","prov":false}}"#)
}

fn sha256(bytes: &[u8]) -> String {
    HEXUPPER.encode(&Sha256::digest(bytes))
}

#[test]
fn every_changed_byte_of_the_code_is_noticed() {
    let account = account();
    let wasm = component();
    let signed = sign_actor(&wasm, &SignActor::default(), &account, module_key().public_key(), NOW).unwrap();
    assert!(verify_actor(&signed, &trust(&account), NOW).is_ok());
    let mut tampered = 0;
    for at in 0..wasm.len() {
        let mut changed = signed.clone();
        changed[at] ^= 0x01;
        match verify_actor(&changed, &trust(&account), NOW) {
            Err(VerifyError::Tampered { expected, actual }) => {
                assert_ne!(expected, actual);
                tampered += 1;
            }
            // Some bytes are lengths and kinds: without them it is no wasm, or the signature is not found.
            Err(VerifyError::Wasm(_) | VerifyError::Unsigned) => {}
            other => panic!("byte {at}: {other:?}"),
        }
    }
    assert!(tampered > wasm.len() / 3, "{tampered} of {}", wasm.len());
}

#[test]
fn every_changed_byte_of_the_token_is_noticed() {
    let account = account();
    let signed = signed(&SignActor::default(), &account);
    let (text, _) = inspect_actor(&signed).unwrap().unwrap();
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let wasm = embed_token(&component(), &changed).unwrap();
        assert!(verify_actor(&wasm, &Trust::any_issuer(), NOW).is_err(), "byte {at}");
    }
}

#[test]
fn a_token_of_another_file_and_a_section_more_are_noticed() {
    let account = account();
    let good = signed(&SignActor::default(), &account);
    let (text, _) = inspect_actor(&good).unwrap().unwrap();
    let other = embed_token(&module(), &text).unwrap();
    assert!(matches!(verify_actor(&other, &trust(&account), NOW), Err(VerifyError::Tampered { .. })));
    let grown = [good.clone(), custom("extra", b"x", false)].concat();
    assert!(matches!(verify_actor(&grown, &trust(&account), NOW), Err(VerifyError::Tampered { .. })));
    for name in ["jwt", "wasmcloud_jwt"] {
        let twice = [good.clone(), custom(name, text.as_bytes(), false)].concat();
        assert_eq!(
            verify_actor(&twice, &trust(&account), NOW).unwrap_err(),
            VerifyError::Wasm(SectionError::SeveralClaims { count: 2 })
        );
    }
    // A signed part does not sign the whole.
    let outer = wrap(true, &section(4, &good, false));
    assert_eq!(verify_actor(&outer, &trust(&account), NOW).unwrap_err(), VerifyError::Unsigned);
}

#[test]
fn times_are_checked_against_the_given_clock_and_issue_time_is_not() {
    let account = account();
    // (expires, not before, clock) relative to the time of signing → what is refused.
    #[derive(Debug, PartialEq)]
    enum Outcome {
        Fine,
        Expired,
        Early,
    }
    use Outcome::{Early, Expired, Fine};
    let hour = 3600;
    for (expires, not_before, clock, expected) in [
        (None, None, 0, Fine),
        (None, None, -hour, Fine),
        (None, None, -1_800_000_000, Fine),
        (None, None, 100 * 365 * 24 * hour, Fine),
        (Some(10), None, 10, Fine),
        (Some(10), None, 11, Expired),
        (Some(hour), None, -hour, Fine),
        (None, Some(0), -60, Fine),
        (None, Some(0), -61, Early),
        (None, Some(hour), 0, Early),
        (None, Some(hour), hour - 60, Fine),
        (Some(hour), Some(10), 20, Fine),
        (Some(hour), Some(10), hour + 1, Expired),
    ] {
        let at = |offset: i64| u64::try_from(i64::try_from(NOW).unwrap() + offset).unwrap();
        let sign =
            SignActor { expires: expires.map(at), not_before: not_before.map(at), ..SignActor::default() };
        let wasm = signed(&sign, &account);
        let outcome = match verify_actor(&wasm, &trust(&account), at(clock)) {
            Ok(_) => Fine,
            Err(VerifyError::Expired { at: end, now }) => {
                assert_eq!((Some(end), now), (sign.expires, at(clock)));
                Expired
            }
            Err(VerifyError::NotYetValid { at: begin, now, slack }) => {
                assert_eq!((Some(begin), now, slack), (sign.not_before, at(clock), 60));
                Early
            }
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(outcome, expected, "exp {expires:?} nbf {not_before:?} clock {clock}");
    }
}

#[test]
fn a_signature_carries_no_start_unless_asked() {
    let (text, claims) = inspect_actor(&signed(&SignActor::default(), &account())).unwrap().unwrap();
    assert_eq!((claims.issued_at, claims.expires, claims.not_before), (NOW, None, None));
    let body = String::from_utf8(BASE64URL_NOPAD.decode(text.split('.').nth(1).unwrap().as_bytes()).unwrap())
        .unwrap();
    assert!(!body.contains("nbf") && !body.contains("exp"), "{body}");
}

#[test]
fn only_named_issuers_count() {
    let (mine, stranger) = (account(), account());
    let wasm = signed(&SignActor::default(), &mine);
    assert!(verify_actor(&wasm, &trust(&mine), NOW).is_ok());
    assert!(verify_actor(&wasm, &Trust::any_issuer(), NOW).is_ok());
    for trust in [Trust::nobody(), Trust::default(), trust(&stranger)] {
        let error = verify_actor(&wasm, &trust, NOW).unwrap_err();
        assert_eq!(error, VerifyError::UntrustedIssuer { issuer: mine.public_key().to_string() });
        assert!(error.remedy().contains(&format!("--trust {}", mine.public_key())));
    }
    assert!(Trust::accounts([module_key().public_key()]).is_err());
    assert_eq!(verify_actor(&component(), &Trust::any_issuer(), NOW).unwrap_err(), VerifyError::Unsigned);
}

#[test]
fn headers_are_read_in_any_order_and_must_say_what_they_must() {
    let account = account();
    let body = body(&account, &metadata("AB"));
    for header in
        [HEADER, r#"{"alg":"Ed25519","typ":"jwt"}"#, r#"{ "alg":"Ed25519", "kid":"x", "typ":"jwt" }"#]
    {
        verify_token::<ActorMetadata>(&token(&account, header, &body)).unwrap();
    }
    for header in [
        r#"{"typ":"JWT","alg":"Ed25519"}"#,
        r#"{"typ":"jwt","alg":"none"}"#,
        r#"{"typ":"jwt","alg":"EdDSA"}"#,
        r#"{"typ":"jwt","alg":"HS256"}"#,
        r#"{"alg":"Ed25519"}"#,
        "{}",
        "[]",
    ] {
        let error = verify_token::<ActorMetadata>(&token(&account, header, &body)).unwrap_err();
        assert!(matches!(error, VerifyError::WrongHeader { .. }), "{header}: {error:?}");
    }
    for header in ["", "[1]", "{", r#"{"typ":1}"#, r#"{"typ":"jwt","alg":"Ed25519","crit":["x"]}"#] {
        let error = verify_token::<ActorMetadata>(&token(&account, header, &body)).unwrap_err();
        assert!(matches!(error, VerifyError::Malformed { .. }), "{header}: {error:?}");
    }
}

#[test]
fn wrong_parties_and_wrong_signatures_are_named() {
    let (account, other) = (account(), account());
    let verify = |token: &str| verify_token::<ActorMetadata>(token).unwrap_err();
    // Signed by another key than the one it names.
    let forged = token(&other, HEADER, &body(&account, &metadata("AB")));
    assert_eq!(verify(&forged), VerifyError::BadSignature { issuer: account.public_key().to_string() });
    // Cut, empty and overlong signatures.
    let good = token(&account, HEADER, &body(&account, &metadata("AB")));
    let (text, signature) = good.rsplit_once('.').unwrap();
    for signature in ["", "AA", &signature[..84], &format!("{signature}AAAA")] {
        let error = verify(&format!("{text}.{signature}"));
        assert!(
            matches!(error, VerifyError::BadSignature { .. } | VerifyError::Malformed { .. }),
            "{error:?}"
        );
    }
    let provider = KeyPair::generate(KeyKind::Provider);
    let text = |issuer: &str, subject: &str| {
        token(&account, HEADER, &format!(r#"{{"jti":"x","iat":1,"iss":"{issuer}","sub":"{subject}"}}"#))
    };
    let (a, m) = (account.public_key().to_string(), module_key().public_key().to_string());
    let v = provider.public_key().to_string();
    assert!(matches!(verify(&text("", &m)), VerifyError::BadIssuer { .. }));
    assert!(matches!(verify(&text(&a, "")), VerifyError::BadSubject { .. }));
    assert!(matches!(verify(&text(&m, &m)), VerifyError::WrongIssuerKind { .. }));
    assert!(matches!(verify(&text(&a, &v)), VerifyError::WrongSubjectKind { expected: KeyKind::Module, .. }));
    for malformed in ["", ".", "..", "a.b", "a.b.c.d", "....", "é.é.é"] {
        assert!(matches!(verify(malformed), VerifyError::Malformed { .. }), "{malformed:?}");
    }
}

#[test]
fn times_beyond_32_bits_are_read_as_they_are() {
    let account = account();
    let wasm = module();
    let hash = lattice_claims::canonical_hash(&wasm).unwrap();
    for (end, now, fine) in [(1_u64 << 33, NOW, true), (1 << 33, (1 << 33) + 1, false), (u64::MAX, NOW, true)]
    {
        let rest = format!(r#"{},"wascap_revision":3,"exp":{end}"#, metadata(&hash));
        let signed = embed_token(&wasm, &token(&account, HEADER, &body(&account, &rest))).unwrap();
        assert_eq!(verify_actor(&signed, &trust(&account), now).is_ok(), fine, "{end}");
    }
    let sign = SignActor { expires: Some(1 << 33), ..SignActor::default() };
    let error = sign_actor(&wasm, &sign, &account, module_key().public_key(), NOW).unwrap_err();
    assert_eq!(error, SignError::Time { field: "exp", value: 1 << 33 });
}

#[test]
fn modules_of_2021_verify_where_their_hash_can_be_confirmed() {
    let account = account();
    // parity-wasm wrote files as it liked; what was signed is the file as it stands without its section.
    let raw = pad_lengths(&module());
    let sign = |hash: &str, revision: &str| {
        let body = body(&account, &format!("{}{revision}", metadata(hash)));
        [raw.clone(), custom("jwt", token(&account, HEADER, &body).as_bytes(), true)].concat()
    };
    let canonical = lattice_claims::canonical_hash(&raw).unwrap();
    assert_ne!(canonical, sha256(&raw));
    for revision in ["", r#","wascap_revision":2"#] {
        for hash in [&canonical, &sha256(&raw)] {
            let verified = verify_actor(&sign(hash, revision), &trust(&account), NOW).unwrap();
            assert_eq!(verified.hash, HashCheck::Confirmed);
        }
        let unknown = sign(&sha256(b"something else"), revision);
        let error = verify_actor(&unknown, &trust(&account), NOW).unwrap_err();
        assert!(matches!(error, VerifyError::HashNotConfirmed { .. }), "{error:?}");
        let allowed = verify_actor(&unknown, &trust(&account).with_unconfirmed_hashes(), NOW).unwrap();
        assert_eq!(allowed.hash, HashCheck::NotEnforced);
    }
    // Revision 3 has one hash only, and no allowance changes that.
    let new = sign(&sha256(&raw), r#","wascap_revision":3"#);
    let error = verify_actor(&new, &trust(&account).with_unconfirmed_hashes(), NOW).unwrap_err();
    assert!(matches!(error, VerifyError::Tampered { .. }));
}

#[test]
fn a_token_without_metadata_proves_nothing_about_an_actor() {
    let account = account();
    let wasm = embed_token(&module(), &token(&account, HEADER, &body(&account, ""))).unwrap();
    assert!(matches!(verify_actor(&wasm, &trust(&account), NOW), Err(VerifyError::Malformed { .. })));
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let (account, subject) = (account(), module_key());
    let sign =
        |sign: SignActor| sign_actor(&module(), &sign, &account, subject.public_key(), NOW).unwrap_err();
    for alias in ["", " ", "né", "a,b", "a\n"] {
        let result = sign_actor(
            &module(),
            &SignActor { call_alias: Some(alias.to_owned()), ..SignActor::default() },
            &account,
            subject.public_key(),
            NOW,
        );
        // What normalising mends is fine.
        assert_eq!(result.is_err(), !matches!(alias, "né" | "a\n"), "{alias:?}");
    }
    let key_alias = SignActor { call_alias: Some(account.public_key().to_string()), ..SignActor::default() };
    assert!(matches!(sign(key_alias), SignError::CallAlias { .. }));
    let never = SignActor { expires: Some(NOW + 1), not_before: Some(NOW + 2), ..SignActor::default() };
    assert!(matches!(sign(never), SignError::NeverValid { .. }));
    let long = SignActor { tags: vec!["x".repeat(300 * 1024)], ..SignActor::default() };
    assert!(matches!(sign(long), SignError::TooLong { .. }));
    let default = SignActor::default();
    assert!(matches!(
        sign_actor(&module(), &default, &subject, subject.public_key(), NOW),
        Err(SignError::KeyKind { role: "issuer", .. })
    ));
    assert!(matches!(
        sign_actor(&module(), &default, &account, account.public_key(), NOW),
        Err(SignError::KeyKind { role: "subject", .. })
    ));
    let claims = Claims::new(account.public_key(), subject.public_key(), ActorMetadata::default(), NOW);
    assert!(matches!(
        sign_token(&claims, &KeyPair::generate(KeyKind::Account)),
        Err(SignError::IssuerMismatch { .. })
    ));
    for bytes in [&b""[..], b"\0asm", b"#!/bin/sh\necho", b"\0asm\x01\0\0\0\x01"] {
        assert!(matches!(
            sign_actor(bytes, &default, &account, subject.public_key(), NOW),
            Err(SignError::Wasm(_))
        ));
    }
}

#[test]
fn nesting_is_bounded() {
    let nest =
        |depth: usize| (0..depth).fold(wrap(true, &[]), |inner, _| wrap(true, &section(4, &inner, true)));
    assert!(lattice_claims::canonical_hash(&nest(64)).is_ok());
    assert_eq!(lattice_claims::canonical_hash(&nest(65)), Err(SectionError::TooDeep));
    assert_eq!(lattice_claims::canonical_hash(&nest(5000)), Err(SectionError::TooDeep));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is signed verifies, says what it was told, and signing again replaces the signature.
    #[test]
    fn signing_and_verifying_agree(
        name in prop::option::of("\\PC{0,40}"),
        version in prop::option::of("\\PC{0,20}"),
        revision: Option<i32>,
        tags in prop::collection::vec("\\PC{0,10}", 0..5),
        lasts in prop::option::of(0_u64..10_000),
        in_module: bool,
    ) {
        let account = account();
        let subject = module_key();
        let wasm = if in_module { module() } else { component() };
        let sign = SignActor {
            name, version, revision, tags, call_alias: None, expires: lasts.map(|s| NOW + s), not_before: None,
        };
        let once = sign_actor(&wasm, &sign, &account, subject.public_key(), NOW).unwrap();
        let twice = sign_actor(&once, &sign, &account, subject.public_key(), NOW).unwrap();
        for signed in [once, twice] {
            let verified = verify_actor(&signed, &trust(&account), NOW).unwrap();
            prop_assert_eq!(&verified.subject, subject.public_key());
            let metadata = verified.claims.metadata.clone().unwrap();
            prop_assert_eq!(&metadata.name, &sign.name);
            prop_assert_eq!(&metadata.version, &sign.version);
            prop_assert_eq!(metadata.revision, sign.revision);
            prop_assert_eq!(metadata.tags.unwrap_or_default(), sign.tags.clone());
            prop_assert_eq!(verified.claims.expires, sign.expires);
            prop_assert_eq!(lattice_claims::strip_claims(&signed).unwrap(), wasm.clone());
        }
    }
}
