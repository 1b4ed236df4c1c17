//! The secrets of a link, for a provider that is a process of its own: sealed to it alone, since they cross the broker.

use std::collections::BTreeMap;

use lattice_claims::{KeyPair, PublicKey, SealError, seal};
use lattice_core::{Secret, SecretKind, SecretName};
use serde::Serialize;
use zeroize::Zeroizing;

/// A value as providers of wasmCloud 1.x read it.
#[derive(Serialize)]
#[serde(tag = "kind", content = "value")]
enum Given<'a> {
    String(&'a str),
    Bytes(&'a [u8]),
}

/// JSON, `{name: {"kind": "String", "value": …}}` (or `Bytes` and a list of numbers), sealed from one key to another as v1 does.
///
/// # Errors
/// A key that is no curve key.
pub(crate) fn sealed(
    values: &BTreeMap<SecretName, Secret>,
    to: &PublicKey,
    from: &KeyPair,
) -> Result<Vec<u8>, SealError> {
    let given = values.iter().map(|(name, value)| match (value.kind(), value.expose_text()) {
        (SecretKind::Text, Some(text)) => (name, Given::String(text)),
        _ => (name, Given::Bytes(value.expose())),
    });
    let given: BTreeMap<&SecretName, Given<'_>> = given.collect();
    // With room for all of it, a byte being at most six characters: a buffer that grows leaves copies behind.
    let room: usize = values.values().map(|value| 256 + 6 * value.expose().len()).sum();
    let mut json = Zeroizing::new(Vec::with_capacity(room + 2));
    serde_json::to_writer(&mut *json, &given).expect("texts and bytes are JSON");
    seal(&json, to, from)
}

#[cfg(test)]
mod tests {
    use lattice_claims::{KeyKind, open};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_provider_reads_them_as_those_of_v1_and_nobody_else_does() {
        let new = || KeyPair::generate(KeyKind::Curve);
        let (host, provider, stranger) = (new(), new(), new());
        let values = BTreeMap::from([
            ("token".parse().unwrap(), Secret::text("hunter2 \u{1}".to_owned()).unwrap()),
            ("raw".parse().unwrap(), Secret::bytes(vec![0, 255]).unwrap()),
        ]);
        let sealed_now = sealed(&values, provider.public_key(), &host).unwrap();
        let opened = open(&sealed_now, host.public_key(), &provider).unwrap();
        let read: Value = serde_json::from_slice(&opened).unwrap();
        let expected = json!({
            "raw": {"kind": "Bytes", "value": [0, 255]},
            "token": {"kind": "String", "value": "hunter2 \u{1}"},
        });
        assert_eq!(read, expected);
        assert!(open(&sealed_now, host.public_key(), &stranger).is_err());
        let none = sealed(&BTreeMap::new(), provider.public_key(), &host).unwrap();
        assert_eq!(open(&none, host.public_key(), &provider).unwrap(), b"{}");
    }
}
