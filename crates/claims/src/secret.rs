//! Secrets, sealed to the hosts that may read them: made where the value is typed, opened where it is used, nowhere between.
//!
//! The value has a key pair of its own, to which it is sealed once; the seed of that key is sealed to each host. Whoever can
//! open a secret can seal its seed to a further host, and needs no more than that.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use lattice_core::{
    ContentsError, CurveKey, HostId, LatticeName, SealedFor, SealedSecret, Secret, SecretContents, SecretName,
};
use zeroize::Zeroizing;

use crate::{
    keys::{KeyError, KeyKind, KeyPair, PublicKey},
    xkey::{SealError, open, seal},
};

/// Why a sealed secret does not open. No message holds a seed or any of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// It was not sealed to this host, or to a key that the host no longer has.
    #[error("it is not sealed to host {host} with the key {xkey} that it has")]
    NotForUs {
        /// The host.
        host: HostId,
        /// Its curve key.
        xkey: CurveKey,
    },
    /// A box does not open.
    #[error("a box does not open: {0}")]
    Sealed(#[from] SealError),
    /// A key is none.
    #[error("a key is none: {0}")]
    Key(#[from] KeyError),
    /// What stands where a host is named as a reader, or its key, is none.
    #[error("of its reader {host} a key is none: {why}")]
    Reader {
        /// The reader, as it is named.
        host: HostId,
        /// What is wrong with the host's id or its curve key.
        #[source]
        why: KeyError,
    },
    /// A box is no Base64.
    #[error("a box is not Base64")]
    NotBase64,
    /// The seed is that of another key than the one that the secret names.
    #[error("the seed in the box is that of another key than {key}")]
    OtherKey {
        /// The key that the secret names.
        key: CurveKey,
    },
    /// The value is no secret.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// Somebody put the box of one secret under the name of another.
    #[error("it was sealed as secret {name} of lattice {lattice}")]
    Misplaced {
        /// The lattice that it was sealed for.
        lattice: LatticeName,
        /// The name that it was sealed under.
        name: SecretName,
    },
}

/// Seals a secret to hosts, each by its curve key.
///
/// # Errors
/// [`SecretError::Key`] for a text that only looks like a key.
pub fn seal_secret(
    contents: &SecretContents,
    readers: &BTreeMap<HostId, CurveKey>,
) -> Result<SealedSecret, SecretError> {
    let own = KeyPair::generate(KeyKind::Curve);
    let value = seal(&contents.to_bytes(), own.public_key(), &own)?;
    let key = curve_key(own.public_key());
    let value = BASE64.encode(&value);
    let opened = OpenedSecret { own, contents: contents.clone() };
    Ok(SealedSecret { key, value, readers: opened.seal_to(readers)? })
}

/// A secret that was opened, with what it takes to seal it to a further host.
#[derive(Debug, Clone)]
pub struct OpenedSecret {
    own: KeyPair,
    contents: SecretContents,
}

impl OpenedSecret {
    /// The value.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.contents.secret
    }

    /// The boxes for further hosts.
    ///
    /// # Errors
    /// [`SecretError::Key`] for a text that only looks like a key.
    pub fn seal_to(
        &self,
        readers: &BTreeMap<HostId, CurveKey>,
    ) -> Result<BTreeMap<HostId, SealedFor>, SecretError> {
        let seed = self.own.seed();
        let boxed = |(host, xkey): (&HostId, &CurveKey)| {
            let to = PublicKey::of_kind(xkey.as_str(), KeyKind::Curve)?;
            let seed = BASE64.encode(&seal(seed.expose().as_bytes(), &to, &self.own)?);
            Ok((host.clone(), SealedFor { xkey: xkey.clone(), seed }))
        };
        readers.iter().map(boxed).collect()
    }
}

/// Checks what somebody sees of a sealed secret who cannot open it: that its keys and those of its readers are keys, and its boxes
/// are Base64. Whether a reader is a host of the lattice it does not say: one may have come a moment ago.
///
/// # Errors
/// [`SecretError`] says which part is none, and why.
pub fn check_secret(sealed: &SealedSecret) -> Result<(), SecretError> {
    PublicKey::of_kind(sealed.key.as_str(), KeyKind::Curve)?;
    decode(&sealed.value)?;
    for (host, reader) in &sealed.readers {
        let key = |text: &str, kind| PublicKey::of_kind(text, kind).map(drop);
        key(host.as_str(), KeyKind::Host)
            .and_then(|()| key(reader.xkey.as_str(), KeyKind::Curve))
            .map_err(|why| SecretError::Reader { host: host.clone(), why })?;
        decode(&reader.seed)?;
    }
    Ok(())
}

/// Opens a secret on the host to which it was sealed. It has to be the one that was put under `name` in `lattice`.
///
/// # Errors
/// [`SecretError`] says which part does not open, and why.
pub fn open_secret(
    sealed: &SealedSecret,
    (lattice, name): (&LatticeName, &SecretName),
    host: &HostId,
    xkey: &KeyPair,
) -> Result<OpenedSecret, SecretError> {
    let mine = curve_key(xkey.public_key());
    let not_for_us = || SecretError::NotForUs { host: host.clone(), xkey: mine.clone() };
    let reader = sealed.readers.get(host).filter(|reader| reader.xkey == mine).ok_or_else(not_for_us)?;
    let key = PublicKey::of_kind(sealed.key.as_str(), KeyKind::Curve)?;
    let seed = Zeroizing::new(open(&decode(&reader.seed)?, &key, xkey)?);
    let seed = std::str::from_utf8(&seed).map_err(|_| SecretError::OtherKey { key: sealed.key.clone() })?;
    let own = KeyPair::from_seed(seed)?;
    if own.public_key() != &key {
        return Err(SecretError::OtherKey { key: sealed.key.clone() });
    }
    let value = Zeroizing::new(open(&decode(&sealed.value)?, &key, &own)?);
    let contents = SecretContents::from_bytes(&value)?;
    if (&contents.lattice, &contents.name) != (lattice, name) {
        return Err(SecretError::Misplaced { lattice: contents.lattice, name: contents.name });
    }
    Ok(OpenedSecret { own, contents })
}

fn decode(text: &str) -> Result<Vec<u8>, SecretError> {
    BASE64.decode(text.as_bytes()).map_err(|_| SecretError::NotBase64)
}

/// The curve key as the vocabulary has it.
///
/// # Panics
/// If it is of another kind.
#[must_use]
pub fn curve_key(key: &PublicKey) -> CurveKey {
    CurveKey::new(key.as_str()).expect("a curve key was asked for")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(letter: &str) -> HostId {
        HostId::new(format!("N{}", letter.repeat(55))).unwrap()
    }

    fn contents(value: &str) -> SecretContents {
        SecretContents {
            lattice: LatticeName::default(),
            name: "token".parse().unwrap(),
            secret: Secret::text(value.to_owned()).unwrap(),
        }
    }

    fn place() -> (LatticeName, SecretName) {
        (LatticeName::default(), "token".parse().unwrap())
    }

    struct Reader {
        id: HostId,
        xkey: KeyPair,
    }

    impl Reader {
        fn new(letter: &str) -> Self {
            Self { id: host(letter), xkey: KeyPair::generate(KeyKind::Curve) }
        }

        fn row(&self) -> BTreeMap<HostId, CurveKey> {
            [(self.id.clone(), curve_key(self.xkey.public_key()))].into()
        }

        fn open(&self, sealed: &SealedSecret) -> Result<OpenedSecret, SecretError> {
            let (lattice, name) = place();
            open_secret(sealed, (&lattice, &name), &self.id, &self.xkey)
        }
    }

    #[test]
    fn a_host_to_which_it_was_sealed_opens_it_and_seals_it_to_another() {
        let (first, second, stranger) = (Reader::new("A"), Reader::new("B"), Reader::new("C"));
        let mut sealed = seal_secret(&contents("s3cret-value"), &first.row()).unwrap();
        let text = serde_json::to_string(&sealed).unwrap();
        assert!(!text.contains("s3cret") && sealed.check().is_ok());
        let opened = first.open(&sealed).unwrap();
        assert_eq!(opened.secret().expose_text(), Some("s3cret-value"));
        assert!(!format!("{opened:?}").contains("s3cret"));
        assert!(matches!(second.open(&sealed), Err(SecretError::NotForUs { .. })));

        sealed.readers.extend(opened.seal_to(&second.row()).unwrap());
        assert_eq!(second.open(&sealed).unwrap().secret(), opened.secret());
        assert!(matches!(stranger.open(&sealed), Err(SecretError::NotForUs { .. })));
        // A host that made itself a new key cannot open what was sealed to the old one.
        let renewed = Reader::new("A");
        assert!(matches!(renewed.open(&sealed), Err(SecretError::NotForUs { .. })));
    }

    #[test]
    fn what_only_looks_like_keys_and_boxes_is_seen_by_who_cannot_open_it() {
        let id = HostId::new(KeyPair::generate(KeyKind::Host).public_key().as_str()).unwrap();
        let xkey = curve_key(KeyPair::generate(KeyKind::Curve).public_key());
        let good = seal_secret(&contents("s3cret"), &[(id.clone(), xkey)].into()).unwrap();
        assert_eq!(check_secret(&good), Ok(()));
        // The shape is that of a key, the checksum is not.
        let fake = CurveKey::new(format!("X{}", "B".repeat(55))).unwrap();
        let reader = good.readers[&id].clone();
        let with = |host: HostId, reader: SealedFor| SealedSecret {
            readers: [(host, reader)].into(),
            ..good.clone()
        };
        let of_reader = |sealed: &SealedSecret| {
            let error = check_secret(sealed).unwrap_err();
            assert!(matches!(error, SecretError::Reader { .. }), "{error}");
        };
        of_reader(&with(host("B"), reader.clone()));
        of_reader(&with(id.clone(), SealedFor { xkey: fake.clone(), ..reader.clone() }));
        let no_box = with(id, SealedFor { seed: "!".to_owned(), ..reader });
        assert_eq!(check_secret(&no_box), Err(SecretError::NotBase64));
        let no_value = SealedSecret { value: "!".to_owned(), ..good.clone() };
        assert_eq!(check_secret(&no_value), Err(SecretError::NotBase64));
        assert!(matches!(check_secret(&SealedSecret { key: fake, ..good }), Err(SecretError::Key(_))));
    }

    #[test]
    fn what_was_put_together_from_other_boxes_does_not_open() {
        let reader = Reader::new("A");
        let one = seal_secret(&contents("one"), &reader.row()).unwrap();
        let two = seal_secret(&contents("two"), &reader.row()).unwrap();
        let mixed = SealedSecret { value: two.value.clone(), ..one.clone() };
        assert!(matches!(reader.open(&mixed), Err(SecretError::Sealed(_))));
        let mixed = SealedSecret { readers: two.readers.clone(), ..one.clone() };
        assert!(matches!(reader.open(&mixed), Err(SecretError::Sealed(_))));
        // Somebody who knows the host's public key alone cannot name it a reader of a value that is not theirs.
        let forger = KeyPair::generate(KeyKind::Curve);
        let seed = seal(forger.seed().expose().as_bytes(), reader.xkey.public_key(), &forger).unwrap();
        let mut forged = one.clone();
        forged.readers.values_mut().for_each(|reader| reader.seed = BASE64.encode(&seed));
        assert!(matches!(reader.open(&forged), Err(SecretError::Sealed(_))));

        let other = SecretContents { name: "other".parse().unwrap(), ..contents("one") };
        let other = seal_secret(&other, &reader.row()).unwrap();
        assert!(
            matches!(reader.open(&other), Err(SecretError::Misplaced { name, .. }) if name.as_str() == "other")
        );
        for text in ["", "!", "AA=="] {
            assert!(reader.open(&SealedSecret { value: text.into(), ..one.clone() }).is_err());
        }
    }
}
