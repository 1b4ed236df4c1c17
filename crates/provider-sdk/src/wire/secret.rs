//! A secret that is handed over.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text or bytes that are shown to nobody: `{"kind":"String","value":"…"}` or `{"kind":"Bytes","value":[1,2]}`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value")]
pub enum SecretValue {
    /// A text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(hidden)")
    }
}
