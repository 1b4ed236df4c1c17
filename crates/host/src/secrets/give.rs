//! The secrets of a link, for a provider that is a process of its own: sealed to it alone, since they cross the broker.

use std::collections::BTreeMap;

use lattice_claims::{PublicKey, SealError, seal};
use lattice_core::{SecretKind, SecretName};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Missing, Secrets};

/// Why a provider gets no secrets.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(test), expect(dead_code, reason = "for providers that are processes of their own"))]
pub(crate) enum GiveError {
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error("secrets cannot be sealed to the provider: {0}")]
    Seal(#[from] SealError),
}

/// A value as providers of wasmCloud 1.x read it.
#[derive(Serialize)]
#[serde(tag = "kind", content = "value")]
enum Given<'a> {
    String(&'a str),
    Bytes(&'a [u8]),
}

impl Secrets {
    /// The secrets `names` as JSON, `{name: {"kind": "String", "value": …}}` (or `Bytes` and a list of numbers), sealed from
    /// this host's key to `to`. No names are an empty map.
    ///
    /// # Errors
    /// [`GiveError::Missing`] for a secret that this host has not got.
    #[cfg_attr(not(test), expect(dead_code, reason = "for providers that are processes of their own"))]
    pub(crate) fn sealed_for(&self, names: &[SecretName], to: &PublicKey) -> Result<Vec<u8>, GiveError> {
        let values: Vec<_> = names.iter().map(|name| self.get(name)).collect::<Result<_, _>>()?;
        let given: BTreeMap<&SecretName, Given<'_>> = names
            .iter()
            .zip(&values)
            .map(|(name, value)| match (value.kind(), value.expose_text()) {
                (SecretKind::Text, Some(text)) => (name, Given::String(text)),
                _ => (name, Given::Bytes(value.expose())),
            })
            .collect();
        let room = values.iter().map(|value| 128 + 6 * value.expose().len()).sum::<usize>() + 2;
        // With room for all of it: a buffer that grows leaves copies behind.
        let mut json = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer(&mut *json, &given).expect("texts and bytes are JSON");
        Ok(seal(&json, to, self.pair())?)
    }
}
