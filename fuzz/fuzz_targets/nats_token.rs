//! Tokens of NATS servers, and files with one. Text is a token as it stands, the body of one (which is encoded here, since no fuzzer
//! gets through Base64), and a credentials file in which `$SEED` stands for the seed of a user.
#![no_main]

use std::sync::LazyLock;

use data_encoding::BASE64URL_NOPAD;
use lattice_claims::{
    KeyKind, KeyPair,
    nats::{AccountToken, CredsFile, OperatorToken, Times, UserGrant, UserToken},
};
use lattice_core::{LatticeName, permission::inbox_within};
use lattice_fuzz::{bounded, text, told};
use libfuzzer_sys::fuzz_target;

static OPERATOR: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeyKind::Operator));
static ACCOUNT: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeyKind::Account));
static USER: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeyKind::User));

fuzz_target!(|data: &[u8]| bounded(data, 512, read));

fn read(data: &[u8]) {
    let Some(given) = text(data) else { return };
    tokens(given);
    let encode = |part: &str| BASE64URL_NOPAD.encode(part.as_bytes());
    let body = given
        .replace("$OPERATOR", OPERATOR.public_key().as_str())
        .replace("$ACCOUNT", ACCOUNT.public_key().as_str())
        .replace("$USER", USER.public_key().as_str());
    tokens(&format!("{}.{}.{}", encode("{}"), encode(&body), encode("no signature")));
    file(given);
}

/// What is read and can be signed is written as what reads the same.
fn tokens(token: &str) {
    match OperatorToken::read(token) {
        Ok(operator) => {
            let signed = operator.sign(&OPERATOR, Times::from(1)).expect("these keys may");
            assert_eq!(OperatorToken::read(&signed), Ok(operator));
        }
        Err(error) => told(error),
    }
    match AccountToken::read(token) {
        Ok(account) => {
            let _ = account.is_revoked(USER.public_key(), 7);
            // A time may be beyond what can be signed.
            if let Ok(signed) = account.sign(&OPERATOR) {
                assert_eq!(AccountToken::read(&signed), Ok(account));
            }
        }
        Err(error) => told(error),
    }
    match UserToken::read(token) {
        Ok(user) => {
            inbox(&user);
            if let Ok(signed) = user.sign(&ACCOUNT) {
                assert_eq!(UserToken::read(&signed), Ok(user));
            }
        }
        Err(error) => told(error),
    }
}

/// Answers come back on a subject, never on a pattern.
fn inbox(user: &UserToken) {
    let UserGrant::Own { permissions, .. } = &user.grant else { return };
    if let Some(prefix) = inbox_within(&permissions.subscribe, &LatticeName::default(), None) {
        assert!(!prefix.contains(['*', '>']), "{prefix:?}");
    }
}

fn file(given: &str) {
    let given = given.replace("$SEED", USER.seed().expose());
    match CredsFile::read(&given) {
        Ok(creds) => {
            assert_eq!(CredsFile::token_in(&given).map(str::to_owned), Ok(creds.token.clone()));
            assert!(!format!("{:?}", creds.key).contains(creds.key.seed().expose()));
            // A token has no lines; what has some may look like the file's own.
            if !creds.token.contains('\n') && !creds.token.contains("-----") {
                let again = CredsFile::read(&creds.to_string()).expect("what is written reads");
                assert_eq!((again.token, again.key.public_key()), (creds.token, creds.key.public_key()));
            }
        }
        Err(error) => told(error),
    }
}
