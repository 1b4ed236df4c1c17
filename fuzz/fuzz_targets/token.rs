//! Tokens. Text with two dots is one as it stands; other text is the body of one, or with a line in front `header, body`, which
//! is encoded here, since no fuzzer gets through Base64; and what reads as claims is signed, so that what comes after the
//! signature is reached.
#![no_main]

use std::sync::LazyLock;

use data_encoding::BASE64URL_NOPAD;
use lattice_claims::{
    AccountMetadata, ActorMetadata, Claims, HostMetadata, KeyKind, KeyPair, Metadata, ProviderMetadata,
    decode_token, decode_unverified, sign_token, verify_token,
};
use lattice_fuzz::{bounded, text, told};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};

static OPERATOR: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeyKind::Operator));
static ACCOUNT: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeyKind::Account));

fuzz_target!(|data: &[u8]| bounded(data, 512, read));

fn read(data: &[u8]) {
    let Some(given) = text(data) else { return };
    decode(given);
    let (header, body) = given.split_once('\n').unwrap_or((r#"{"typ":"jwt","alg":"Ed25519"}"#, given));
    let encode = |part: &str| BASE64URL_NOPAD.encode(part.as_bytes());
    decode(&format!("{}.{}.{}", encode(header), encode(body), encode("no signature")));
    // Signing takes most of the time, so only what may be claims is signed.
    if body.starts_with('{') {
        sign::<ActorMetadata>(body, &ACCOUNT, KeyKind::Module);
        sign::<ProviderMetadata>(body, &ACCOUNT, KeyKind::Provider);
        sign::<AccountMetadata>(body, &OPERATOR, KeyKind::Account);
        sign::<HostMetadata>(body, &OPERATOR, KeyKind::Host);
    }
}

fn decode(token: &str) {
    let decoded = match decode_token(token) {
        Ok(decoded) => decoded,
        Err(error) => return told(error),
    };
    let claims = &decoded.claims;
    let _ = (claims.kind(), claims.name(), claims.issuer(), claims.subject(), claims.check_times(1));
    if let Err(error) = &decoded.signature {
        told(error);
        let _ = error.remedy();
    }
}

/// Claims with these times and metadata, of keys that may sign and be signed for.
fn sign<M: Metadata + Serialize + DeserializeOwned>(body: &str, issuer: &KeyPair, subject: KeyKind) {
    let Ok(mut claims) = serde_json::from_str::<Claims<M>>(body) else { return };
    claims.issuer = issuer.public_key().to_string();
    claims.subject = KeyPair::generate(subject).public_key().to_string();
    let Ok(token) = sign_token(&claims, issuer) else { return };
    let read: Claims<M> = verify_token(&token).expect("it was signed just now");
    assert_eq!(
        (&read.issuer, &read.subject, read.expires),
        (&claims.issuer, &claims.subject, claims.expires)
    );
    let without_signature = &token[..token.rfind('.').map_or(0, |at| at + 1)];
    let forged = format!("{without_signature}{}", BASE64URL_NOPAD.encode(&[7; 64]));
    assert!(verify_token::<M>(&forged).is_err(), "nobody's signature");
    assert!(decode_unverified::<M>(&forged).is_ok());
}
