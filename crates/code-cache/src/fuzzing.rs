//! What the programs in `fuzz/` feed with bytes of strangers: the function reads them as the cache does, and panics where a
//! rule is broken. Built for fuzzing and for tests, which run the corpus through; no part of the API.

use crate::{
    entry::{DIGEST_BYTES, HEADER_BYTES, Identity, MAC_BYTES, Reject, open, seal},
    key::Key,
};

const IDENTITY: Identity = Identity { engine: [3; DIGEST_BYTES], wasm: [5; DIGEST_BYTES] };
const CODE: &[u8] = b"what the engine compiled";

fn key() -> Key {
    Key::of([7; 32])
}

/// A byte that says what the rest is: a file as it stands, changes to a genuine one (place in two bytes, and what to put
/// there), or one that is made with our key, of as many bytes of code as there are beyond an identity.
///
/// # Panics
/// If bytes pass that are not those of a genuine entry of the identity that is asked for.
pub fn entry(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    match which % 3 {
        0 => refused(rest),
        1 => changed(rest),
        _ => genuine(rest),
    }
}

fn told(reject: &Reject) {
    assert!(!reject.to_string().contains(char::is_control), "{reject}");
}

/// Nobody but us has the key.
fn refused(file: &[u8]) {
    let reject = open(&key(), &IDENTITY, file).expect_err("it was not written with our key");
    told(&reject);
    let is_short = file.len() < HEADER_BYTES + MAC_BYTES;
    assert!(!is_short || reject == Reject::Length, "{reject}");
}

fn changed(changes: &[u8]) {
    let sealed = seal(&key(), &IDENTITY, CODE);
    let mut file = sealed.clone();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % (file.len() + 1);
        // One place more than there is: the file ends there, or goes on.
        match file.get_mut(at) {
            Some(byte) => *byte = change[2],
            None if change[2] < 128 => file.push(change[2]),
            None => file.truncate(usize::from(change[2])),
        }
        if file.is_empty() {
            break;
        }
    }
    match open(&key(), &IDENTITY, &file) {
        Ok(verified) => {
            assert_eq!(file, sealed, "this was sealed, and nothing else");
            assert_eq!(verified.code(), CODE);
        }
        Err(reject) => {
            assert_ne!(file, sealed, "{reject}");
            told(&reject);
        }
    }
}

/// Genuine, but perhaps of another engine or another wasm.
fn genuine(data: &[u8]) {
    let Some((engine, rest)) = data.split_first() else { return };
    let Some((wasm, code)) = rest.split_first() else { return };
    let identity = Identity { engine: [*engine; DIGEST_BYTES], wasm: [*wasm; DIGEST_BYTES] };
    let file = seal(&key(), &identity, code);
    match open(&key(), &IDENTITY, &file) {
        Ok(verified) => assert_eq!((verified.code(), &identity), (code, &IDENTITY)),
        Err(Reject::OtherEngine) => assert_ne!(identity.engine, IDENTITY.engine),
        Err(Reject::OtherWasm) => assert_ne!(identity.wasm, IDENTITY.wasm),
        Err(other) => panic!("a genuine entry was refused: {other}"),
    }
    assert!(open(&Key::of([8; 32]), &identity, &file).is_err(), "another host's key");
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// What the fuzzer once found, or starts from.
    #[test]
    fn the_corpus_passes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/code_cache");
        let inputs = fs::read_dir(&folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        let count = inputs.inspect(|input| super::entry(input)).count();
        assert!(count > 0, "{} is empty", folder.display());
    }
}
