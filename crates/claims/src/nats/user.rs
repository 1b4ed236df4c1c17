//! A user's token.

use lattice_core::permission::{Permissions, Role};
use serde::{Deserialize, Serialize};

use super::token::{Kind, NatsTokenError, Times, read, sign};
use crate::{
    error::SignError,
    keys::{KeyKind, KeyPair, PublicKey},
};

/// How a tag names the role, and how the lattice; readers that do not know tags ignore them.
const ROLE_TAG: &str = "role:";
const LATTICE_TAG: &str = "lattice:";

/// What an account says of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserToken {
    /// Its name, which a scoped key's template may put into subjects.
    pub name: String,
    /// Its key (`U…`).
    pub user: PublicKey,
    /// The account, where a signing key of it signed.
    pub account: Option<PublicKey>,
    /// What it may do.
    pub grant: UserGrant,
    /// When it was signed, unix seconds.
    pub issued: u64,
    /// The last second in which it counts; for ever if none.
    pub expires: Option<u64>,
}

/// What a user may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserGrant {
    /// What stands in its own token.
    Own {
        /// Its role, and the lattice's name or `*`, as the tags tell; none for a token that is not of ours.
        role: Option<(Role, String)>,
        /// What it may do. Nothing at all said is everything.
        permissions: Permissions,
    },
    /// What stands in the account's token for the key that signed: a scoped key.
    Scoped,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Nats {
    #[serde(rename = "pub", default)]
    publish: Subjects,
    #[serde(rename = "sub", default)]
    subscribe: Subjects,
    #[serde(default, skip_serializing_if = "is_zero")]
    subs: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    data: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    payload: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allowed_connection_types: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer_account: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(rename = "type")]
    kind: Kind,
    version: u8,
}

/// Subjects that are allowed, and those of them that are denied all the same.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Subjects {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) allow: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) deny: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl UserToken {
    /// Signs it with the account's key, or with a signing key of the account named in it.
    ///
    /// # Errors
    /// A key is of another kind, or a time does not fit.
    pub fn sign(&self, issuer: &KeyPair) -> Result<String, SignError> {
        let mut nats = Nats {
            publish: Subjects::default(),
            subscribe: Subjects::default(),
            subs: 0,
            data: 0,
            payload: 0,
            allowed_connection_types: Vec::new(),
            issuer_account: self.account.as_ref().map(ToString::to_string),
            tags: Vec::new(),
            kind: Kind::User,
            version: 2,
        };
        // A token of a scoped key that says anything itself is refused.
        if let UserGrant::Own { role, permissions } = &self.grant {
            (nats.subs, nats.data, nats.payload) = (-1, -1, -1);
            nats.publish.allow.clone_from(&permissions.publish);
            nats.subscribe.allow.clone_from(&permissions.subscribe);
            if let Some((role, lattice)) = role {
                nats.tags = vec![format!("{ROLE_TAG}{role}"), format!("{LATTICE_TAG}{lattice}")];
                nats.allowed_connection_types = vec![connection(*role).to_owned()];
            }
        }
        let times = Times { issued: self.issued, expires: self.expires };
        let (issuer, subject) = ((issuer, KeyKind::Account), (&self.user, KeyKind::User));
        sign(issuer, subject, &self.name, &nats, times)
    }

    /// Reads one, without verifying it: the server is who has to be convinced.
    ///
    /// # Errors
    /// [`NatsTokenError`].
    pub fn read(token: &str) -> Result<Self, NatsTokenError> {
        let envelope = read::<Nats>(token)?;
        let nats = envelope.nats;
        let tag = |name: &str| nats.tags.iter().find_map(|tag| tag.strip_prefix(name)).map(str::to_owned);
        let role = tag(ROLE_TAG).and_then(|role| role.parse().ok()).zip(tag(LATTICE_TAG));
        let is_scoped = nats.issuer_account.is_some() && (nats.subs, nats.data, nats.payload) == (0, 0, 0);
        let permissions = Permissions { publish: nats.publish.allow, subscribe: nats.subscribe.allow };
        let account = nats.issuer_account.map(|key| PublicKey::of_kind(&key, KeyKind::Account));
        Ok(Self {
            name: envelope.name,
            user: PublicKey::of_kind(&envelope.subject, KeyKind::User)?,
            account: account.transpose()?,
            grant: if is_scoped { UserGrant::Scoped } else { UserGrant::Own { role, permissions } },
            issued: envelope.issued_at,
            expires: envelope.expires,
        })
    }
}

/// The kind of connection that a role may make: a leaf connection takes subscriptions of a whole server, so the credentials of
/// a person do not make one, and those of a site make nothing else.
fn connection(role: Role) -> &'static str {
    match role {
        Role::Site => "LEAFNODE",
        _ => "STANDARD",
    }
}
