//! Wasm files: the claims in them, at any depth; what is left without them, and its hash. What begins with a byte 255 stands for
//! changes to one that is well signed.
#![no_main]

use std::sync::LazyLock;

use lattice_claims::{
    KeyKind, KeyPair, PublicKey, SignActor, Trust, canonical_hash, embed_token, extract_token, inspect_actor,
    sign_actor, strip_claims, verify_actor,
};
use lattice_fuzz::{bounded, told};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_800_000_000;

static ACCOUNT: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeyKind::Account));
static MODULE: LazyLock<PublicKey> =
    LazyLock::new(|| KeyPair::generate(KeyKind::Module).public_key().clone());

fuzz_target!(|data: &[u8]| bounded(data, 256, read));

static SIGNED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let component = b"\0asm\x0d\0\x01\0\x01\x0e\0asm\x01\0\0\0\0\x04\x01xyz";
    sign_actor(component, &SignActor::default(), &ACCOUNT, &MODULE, NOW).expect("it is wasm")
});

fn read(wasm: &[u8]) {
    if let Some(changes) = wasm.strip_prefix(&[0xff]) {
        return changed(changes);
    }
    let _ = inspect_actor(wasm);
    let verified = verify_actor(wasm, &Trust::any_issuer(), NOW);
    let found = extract_token(wasm);
    assert!(verified.is_err() || matches!(found, Ok(Some(_))));
    if let Err(error) = verified {
        told(&error);
        let _ = error.remedy();
    }
    let Ok(stripped) = strip_claims(wasm) else { return };
    assert_eq!(strip_claims(&stripped).as_deref(), Ok(&stripped[..]), "stripping twice changes nothing more");
    assert_eq!(canonical_hash(&stripped), canonical_hash(wasm));
    assert_eq!(extract_token(&stripped), Ok(None));
    // Signing takes most of the time, and needs the shape of a file alone, which short ones have too.
    if wasm.len() < 256 {
        signed(wasm, &stripped);
    }
}

/// A file that can be stripped can be signed, and then verifies until a byte of it is another.
fn signed(wasm: &[u8], stripped: &[u8]) {
    let signed = sign_actor(wasm, &SignActor::default(), &ACCOUNT, &MODULE, NOW).expect("it is wasm");
    let trust = Trust::accounts([ACCOUNT.public_key()]).expect("the key of an account");
    let actor = verify_actor(&signed, &trust, NOW).expect("it was signed just now");
    assert_eq!(embed_token(stripped, &actor.token).as_deref(), Ok(&signed[..]));
    assert!(verify_actor(&signed, &Trust::nobody(), NOW).is_err());
    assert!(verify_actor(&embed_token(wasm, "a.b.c").expect("it is wasm"), &trust, NOW).is_err());
}

/// Whoever changes a signed file, three bytes of input each, cannot change what is run, nor what is said of it.
fn changed(changes: &[u8]) {
    let mut wasm = SIGNED.clone();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % wasm.len();
        wasm[at] = change[2];
    }
    let trust = Trust::accounts([ACCOUNT.public_key()]).expect("the key of an account");
    if let Ok(actor) = verify_actor(&wasm, &trust, NOW) {
        assert_eq!(strip_claims(&wasm), strip_claims(&SIGNED), "this was signed, and nothing else");
        let before = inspect_actor(&SIGNED).ok().flatten().map(|(_, claims)| claims);
        assert_eq!(Some(actor.claims), before);
    }
}
