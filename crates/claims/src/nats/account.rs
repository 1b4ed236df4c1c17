//! An account's token: what its users may use together, who may sign them, and which of them no longer count.

use std::collections::BTreeMap;

use lattice_core::permission::{Permissions, Role, Template};
use serde::{Deserialize, Serialize};

use super::{
    token::{Kind, NatsTokenError, Times, read, sign},
    user::Subjects,
};
use crate::{
    error::SignError,
    keys::{KeyKind, KeyPair, PublicKey, shown_reason},
};

/// What the operator says of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountToken {
    /// A name for people.
    pub name: String,
    /// Its key.
    pub account: PublicKey,
    /// Whether it has JetStream; the system account has none.
    pub jetstream: bool,
    /// Keys that sign users with fixed permissions, and nothing else.
    pub scoped_keys: Vec<ScopedKey>,
    /// Users by public key, and the unix second up to which their tokens no longer count.
    pub revoked: BTreeMap<String, u64>,
    /// When it was signed, unix seconds. Servers keep the newest.
    pub issued: u64,
}

/// A key that signs users of one role: what they may do stands in the account's token, and their own tokens only have a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedKey {
    /// The key (`A…`), not the account's own.
    pub key: PublicKey,
    /// The role of its users.
    pub role: Role,
    /// What they may do; the server puts the name in the user's token in the place of `{{name()}}`.
    pub template: Template,
}

#[derive(Serialize, Deserialize)]
struct Nats {
    #[serde(default)]
    limits: Limits,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signing_keys: Vec<SigningKey>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    revocations: BTreeMap<String, u64>,
    #[serde(rename = "type")]
    kind: Kind,
    version: u8,
}

/// −1 is without a limit; a missing number is 0.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Limits {
    subs: i64,
    data: i64,
    payload: i64,
    imports: i64,
    exports: i64,
    wildcards: bool,
    conn: i64,
    leaf: i64,
    mem_storage: i64,
    disk_storage: i64,
    streams: i64,
    consumer: i64,
}

#[derive(Serialize, Deserialize)]
struct SigningKey {
    kind: String,
    key: String,
    role: String,
    template: WrittenTemplate,
}

#[derive(Serialize, Deserialize)]
struct WrittenTemplate {
    #[serde(rename = "pub")]
    publish: Subjects,
    #[serde(rename = "sub")]
    subscribe: Subjects,
    subs: i64,
    data: i64,
    payload: i64,
}

impl AccountToken {
    /// Signs it with the operator's key.
    ///
    /// # Errors
    /// A key is of another kind, or a time does not fit.
    pub fn sign(&self, operator: &KeyPair) -> Result<String, SignError> {
        let jetstream = if self.jetstream { -1 } else { 0 };
        let nats = Nats {
            limits: Limits {
                subs: -1,
                data: -1,
                payload: -1,
                imports: -1,
                exports: -1,
                wildcards: true,
                conn: -1,
                leaf: -1,
                mem_storage: jetstream,
                disk_storage: jetstream,
                streams: jetstream,
                consumer: jetstream,
            },
            signing_keys: self.scoped_keys.iter().map(SigningKey::of).collect(),
            revocations: self.revoked.clone(),
            kind: Kind::Account,
            version: 2,
        };
        let (issuer, subject) = ((operator, KeyKind::Operator), (&self.account, KeyKind::Account));
        sign(issuer, subject, &self.name, &nats, Times::from(self.issued))
    }

    /// Reads one, without verifying it.
    ///
    /// # Errors
    /// [`NatsTokenError`]; also for a signing key that is not scoped, or of no role of ours: signing the token again would lose it.
    pub fn read(token: &str) -> Result<Self, NatsTokenError> {
        let envelope = read::<Nats>(token)?;
        let scoped_keys = envelope.nats.signing_keys.into_iter().map(SigningKey::read);
        Ok(Self {
            name: envelope.name,
            account: PublicKey::of_kind(&envelope.subject, KeyKind::Account)?,
            jetstream: envelope.nats.limits.disk_storage != 0,
            scoped_keys: scoped_keys.collect::<Result<_, _>>()?,
            revoked: envelope.nats.revocations,
            issued: envelope.issued_at,
        })
    }

    /// True if a token of `user`, signed at `issued`, no longer counts.
    #[must_use]
    pub fn is_revoked(&self, user: &PublicKey, issued: u64) -> bool {
        self.revoked.get(user.as_str()).is_some_and(|until| issued <= *until)
    }
}

impl SigningKey {
    fn of(scoped: &ScopedKey) -> Self {
        let Template { allow, deny } = scoped.template.clone();
        let template = WrittenTemplate {
            publish: Subjects { allow: allow.publish, deny: deny.publish },
            subscribe: Subjects { allow: allow.subscribe, deny: deny.subscribe },
            subs: -1,
            data: -1,
            payload: -1,
        };
        Self {
            kind: "user_scope".to_owned(),
            key: scoped.key.to_string(),
            role: scoped.role.to_string(),
            template,
        }
    }

    fn read(self) -> Result<ScopedKey, NatsTokenError> {
        let role = self.role.parse().map_err(|error| NatsTokenError::Malformed {
            reason: shown_reason(format_args!("its signing key {}: {error}", self.key)),
        })?;
        let WrittenTemplate { publish, subscribe, .. } = self.template;
        let template = Template {
            allow: Permissions { publish: publish.allow, subscribe: subscribe.allow },
            deny: Permissions { publish: publish.deny, subscribe: subscribe.deny },
        };
        Ok(ScopedKey { key: PublicKey::of_kind(&self.key, KeyKind::Account)?, role, template })
    }
}
