//! Tokens whose kind is not known beforehand, for `wash claims inspect` and `wash claims token`.

use serde::Serialize;

use crate::{
    entities::{
        AccountMetadata, ActorMetadata, ClusterMetadata, HostMetadata, Metadata, OperatorMetadata,
        ProviderMetadata,
    },
    error::VerifyError,
    jwt::{Claims, decode_unverified, verify_token},
    keys::{KeyKind, PublicKey},
};

/// Claims of any kind, told apart by the subject's key.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum AnyClaims {
    /// About an `M…` key.
    Actor(Claims<ActorMetadata>),
    /// About a `V…` key.
    Provider(Claims<ProviderMetadata>),
    /// About an `A…` key.
    Account(Claims<AccountMetadata>),
    /// About an `O…` key.
    Operator(Claims<OperatorMetadata>),
    /// About a `C…` key.
    Cluster(Claims<ClusterMetadata>),
    /// About an `N…` key.
    Host(Claims<HostMetadata>),
}

/// Runs one expression on whichever claims are inside.
macro_rules! each {
    ($any:expr, $claims:ident => $body:expr) => {
        match $any {
            AnyClaims::Actor($claims) => $body,
            AnyClaims::Provider($claims) => $body,
            AnyClaims::Account($claims) => $body,
            AnyClaims::Operator($claims) => $body,
            AnyClaims::Cluster($claims) => $body,
            AnyClaims::Host($claims) => $body,
        }
    };
}

impl AnyClaims {
    /// The kind of key that the claims are about.
    pub fn kind(&self) -> KeyKind {
        fn of<M: Metadata>(_: &Claims<M>) -> KeyKind {
            M::SUBJECT
        }
        each!(self, claims => of(claims))
    }

    /// The subject's name for people.
    pub fn name(&self) -> Option<&str> {
        each!(self, claims => claims.name())
    }

    /// The issuer's public key, as written.
    pub fn issuer(&self) -> &str {
        each!(self, claims => &claims.issuer)
    }

    /// The subject's public key, as written.
    pub fn subject(&self) -> &str {
        each!(self, claims => &claims.subject)
    }

    /// When it was signed, unix seconds.
    pub fn issued_at(&self) -> u64 {
        each!(self, claims => claims.issued_at)
    }

    /// The last second in which it counts.
    pub fn expires(&self) -> Option<u64> {
        each!(self, claims => claims.expires)
    }

    /// When it begins to count.
    pub fn not_before(&self) -> Option<u64> {
        each!(self, claims => claims.not_before)
    }

    /// As [`Claims::check_times`].
    ///
    /// # Errors
    /// `Expired`, `NotYetValid`.
    pub fn check_times(&self, now: u64) -> Result<(), VerifyError> {
        each!(self, claims => claims.check_times(now))
    }
}

/// A token taken apart for showing, and whether its signature holds.
#[derive(Debug, Clone)]
pub struct DecodedToken {
    /// What it says.
    pub claims: AnyClaims,
    /// Whether header, keys and signature are right. Says nothing about trust and times.
    pub signature: Result<(), VerifyError>,
}

/// Takes a token of any kind apart. A token that is only wrongly signed is still shown: see [`DecodedToken::signature`].
///
/// # Errors
/// `Malformed` or `BadSubject` where nothing can be shown; `WrongSubjectKind` for kinds of key that have no claims.
pub fn decode_token(token: &str) -> Result<DecodedToken, VerifyError> {
    fn of<M: Metadata + serde::de::DeserializeOwned>(
        token: &str,
        wrap: fn(Claims<M>) -> AnyClaims,
    ) -> Result<DecodedToken, VerifyError> {
        Ok(DecodedToken {
            claims: wrap(decode_unverified(token)?),
            signature: verify_token::<M>(token).map(|_| ()),
        })
    }
    let subject: PublicKey = decode_unverified::<serde_json::Value>(token)?
        .subject
        .parse()
        .map_err(|reason| VerifyError::BadSubject { reason })?;
    match subject.kind() {
        KeyKind::Module => of(token, AnyClaims::Actor),
        KeyKind::Provider => of(token, AnyClaims::Provider),
        KeyKind::Account => of(token, AnyClaims::Account),
        KeyKind::Operator => of(token, AnyClaims::Operator),
        KeyKind::Cluster => of(token, AnyClaims::Cluster),
        KeyKind::Host => of(token, AnyClaims::Host),
        actual @ (KeyKind::User | KeyKind::Curve) => Err(VerifyError::WrongSubjectKind {
            subject: subject.to_string(),
            actual,
            expected: KeyKind::Module,
        }),
    }
}
