//! The operator's token: the root of a server's trust.

use serde::{Deserialize, Serialize};

use super::token::{Kind, NatsTokenError, Times, read, sign};
use crate::{
    error::SignError,
    keys::{KeyKind, KeyPair, PublicKey},
};

/// What an operator says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorToken {
    /// A name for people.
    pub name: String,
    /// Its key, by which it is signed.
    pub operator: PublicKey,
    /// The account that may steer the server itself.
    pub system_account: PublicKey,
}

#[derive(Serialize, Deserialize)]
struct Nats {
    system_account: String,
    #[serde(rename = "type")]
    kind: Kind,
    version: u8,
}

impl OperatorToken {
    /// Signs it with the operator's own key.
    ///
    /// # Errors
    /// A key is of another kind, or a time does not fit.
    pub fn sign(&self, operator: &KeyPair, times: Times) -> Result<String, SignError> {
        let nats = Nats { system_account: self.system_account.to_string(), kind: Kind::Operator, version: 2 };
        let (issuer, subject) = ((operator, KeyKind::Operator), (&self.operator, KeyKind::Operator));
        sign(issuer, subject, &self.name, &nats, times)
    }

    /// Reads one, without verifying it.
    ///
    /// # Errors
    /// [`NatsTokenError`].
    pub fn read(token: &str) -> Result<Self, NatsTokenError> {
        let envelope = read::<Nats>(token)?;
        Ok(Self {
            name: envelope.name,
            operator: PublicKey::of_kind(&envelope.subject, KeyKind::Operator)?,
            system_account: PublicKey::of_kind(&envelope.nats.system_account, KeyKind::Account)?,
        })
    }
}
