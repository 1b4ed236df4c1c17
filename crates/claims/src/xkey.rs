//! Bytes that one receiver alone can read, from one sender alone: boxes between two curve keys (`X…`).
//!
//! The format is that of nkeys and of wasmCloud 1.x: `xkv1`, 24 bytes of nonce, then a NaCl box (X25519, XSalsa20-Poly1305).
//! A box opens only with the receiver's seed and the public key of whoever sealed it, so it tells the sender, too. It tells
//! no time and no place: what must not be replayed, or must belong to something, says so inside.

use crate::keys::{KeyError, KeyKind, KeyPair, PublicKey};

/// The longest text that is sealed or opened, in bytes: what fits into one NATS message and is worth one key operation.
pub const SEALED_BYTES_MAX: usize = 1024 * 1024;
/// What a box is longer than its contents: version, nonce, and the tag by which a changed byte is noticed.
pub const SEALED_BYTES_OVER: usize = 4 + 24 + 16;

/// Why bytes cannot be sealed or opened. No message holds a seed or any of the contents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// One of the keys is of another kind.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// More than [`SEALED_BYTES_MAX`].
    #[error("{len} bytes are too many to be sealed; the most is {SEALED_BYTES_MAX}")]
    TooLong {
        /// How many there are.
        len: usize,
    },
    /// It was not sealed for this key, not by this sender, or changed since.
    #[error("it does not open: it is for another key than {to}, not from {from}, or was changed")]
    NotForUs {
        /// The public key of the receiver that tried.
        to: PublicKey,
        /// The public key of the expected sender.
        from: PublicKey,
    },
}

/// Seals `bytes` for the holder of `to`, in the name of `from`. A new nonce each time: the same bytes give another box.
///
/// # Errors
/// `Key` if one of them is no curve key; `TooLong`.
pub fn seal(bytes: &[u8], to: &PublicKey, from: &KeyPair) -> Result<Vec<u8>, SealError> {
    if bytes.len() > SEALED_BYTES_MAX {
        return Err(SealError::TooLong { len: bytes.len() });
    }
    let (to, from) = (curve(to)?, secret(from)?);
    Ok(from.seal(bytes, &to).expect("sealing fails only without a secret key, which a pair has"))
}

/// Opens what `from` sealed for `to`.
///
/// # Errors
/// `Key` if one of them is no curve key; `TooLong`; `NotForUs` for everything else, whatever the bytes are.
pub fn open(sealed: &[u8], from: &PublicKey, to: &KeyPair) -> Result<Vec<u8>, SealError> {
    if sealed.len() > SEALED_BYTES_MAX + SEALED_BYTES_OVER {
        return Err(SealError::TooLong { len: sealed.len() });
    }
    let (sender, receiver) = (curve(from)?, secret(to)?);
    receiver
        .open(sealed, &sender)
        .map_err(|_| SealError::NotForUs { to: to.public_key().clone(), from: from.clone() })
}

fn curve(key: &PublicKey) -> Result<nkeys::XKey, SealError> {
    of_curve(key)?;
    Ok(nkeys::XKey::from_public_key(key.as_str()).expect("the text was checked when the key was made"))
}

fn secret(pair: &KeyPair) -> Result<nkeys::XKey, SealError> {
    of_curve(pair.public_key())?;
    Ok(nkeys::XKey::from_seed(pair.seed().expose()).expect("the seed is that of a valid curve key"))
}

fn of_curve(key: &PublicKey) -> Result<(), KeyError> {
    match key.kind() {
        KeyKind::Curve => Ok(()),
        actual => Err(KeyError::WrongKind { key: key.to_string(), actual, expected: KeyKind::Curve }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs() -> (KeyPair, KeyPair, KeyPair) {
        let new = || KeyPair::generate(KeyKind::Curve);
        (new(), new(), new())
    }

    #[test]
    fn only_the_receiver_opens_it_and_only_as_from_the_sender() {
        let (host, provider, stranger) = pairs();
        let sealed = seal(b"a secret", provider.public_key(), &host).unwrap();
        assert_eq!(sealed.len(), b"a secret".len() + SEALED_BYTES_OVER);
        assert_eq!(open(&sealed, host.public_key(), &provider).unwrap(), b"a secret");
        let refused = |result: Result<Vec<u8>, SealError>| matches!(result, Err(SealError::NotForUs { .. }));
        assert!(refused(open(&sealed, host.public_key(), &stranger)));
        assert!(refused(open(&sealed, stranger.public_key(), &provider)));
        let forged = seal(b"a secret", provider.public_key(), &stranger).unwrap();
        assert!(refused(open(&forged, host.public_key(), &provider)));
        assert_ne!(sealed, seal(b"a secret", provider.public_key(), &host).unwrap(), "a nonce is used once");
    }

    #[test]
    fn a_box_of_the_go_library_opens() {
        let receiver =
            KeyPair::from_seed("SXAHGC56LJFTSRXFC653AT7XZU6WGYIXU4XFPMCT62GGHFLUCSPVYP764M").unwrap();
        let sender = "XBUJMZHVOPQ2SK5VD3TY4VNBPVU2YFGRLK6EFPEPSMVDUYEBSROWZCEA".parse().unwrap();
        // From the tests of nkeys.
        let hex = concat!(
            "786b7631467698f98703502f4241b7a734729800929f6d094b06c6e34a78de49",
            "9ee7debbac9477556f3fbbe90ffd678bc629e5b7cc7c57404d923846cf010226",
        );
        let sealed = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        assert_eq!(open(&sealed, &sender, &receiver).unwrap(), b"this is super secret");
    }

    #[test]
    fn keys_that_sign_cannot_seal_and_lengths_are_bounded() {
        let (host, provider, _) = pairs();
        let account = KeyPair::generate(KeyKind::Account);
        let wrong = |result: Result<Vec<u8>, SealError>| {
            matches!(result, Err(SealError::Key(KeyError::WrongKind { .. })))
        };
        assert!(wrong(seal(b"x", account.public_key(), &host)));
        assert!(wrong(seal(b"x", host.public_key(), &account)));
        assert!(wrong(open(b"x", account.public_key(), &host)));
        assert!(wrong(open(b"x", host.public_key(), &account)));
        let long = vec![0; SEALED_BYTES_MAX + 1];
        assert_eq!(seal(&long, provider.public_key(), &host), Err(SealError::TooLong { len: long.len() }));
        assert!(seal(&long[1..], provider.public_key(), &host).is_ok());
    }

    proptest! {
        #[test]
        fn a_changed_or_strange_box_never_opens(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let (host, provider, _) = pairs();
            prop_assert!(open(&bytes, host.public_key(), &provider).is_err());
            let mut sealed = seal(&bytes, provider.public_key(), &host).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(open(&sealed, host.public_key(), &provider).is_err());
        }
    }
}
