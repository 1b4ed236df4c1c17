//! What an artifact's signature is worth to this user.

use lattice_claims::{
    AnyClaims, ArchiveError, ArchiveLimits, Trust, VerifyError, decode_token, inspect_actor,
    inspect_provider, verify_actor, verify_provider,
};
use lattice_registry::Kind;
use serde::Serialize;

use crate::{
    failure::{Failure, Outcome},
    keystore::KeyStore,
};

/// A signed artifact or token.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) token: String,
    pub(crate) claims: AnyClaims,
    pub(crate) verdict: Verdict,
}

/// Whether its signature holds, and whether the issuer is one of the user's own.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    /// Signature, hash and times are right.
    pub(crate) valid: bool,
    /// Signed with one of the user's own account keys: a host started by `wash up` runs it.
    pub(crate) trusted: bool,
    /// The name of that key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuer_name: Option<String>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
    /// The signature is right, and only its time is not now.
    #[serde(skip)]
    untimely: bool,
}

/// Reads and judges the claims of an artifact; nothing if it is not signed.
///
/// # Errors
/// The artifact or its token cannot be read at all.
pub(crate) fn examine(bytes: &[u8], kind: Kind, store: &KeyStore, now: u64) -> Outcome<Option<Signed>> {
    let own = store.accounts()?;
    let trust = Trust::accounts(own.iter().map(|(_, key)| key.as_str()))
        .map_err(|error| Failure::refused(error).context("the keys of this user are not usable"))?;
    let (token, claims, checked) = match kind {
        Kind::Provider => {
            let limits = ArchiveLimits::default();
            let contents = match inspect_provider(bytes, &limits) {
                Ok(contents) => contents,
                Err(ArchiveError::NoClaims) => return Ok(None),
                Err(error) => {
                    return Err(Failure::refused(error).help("Fetch or build the archive again, whole."));
                }
            };
            let checked = verify_provider(bytes, None, &trust, now, &limits).map(drop);
            (contents.token, AnyClaims::Provider(contents.claims), checked)
        }
        _ => {
            let Some((token, claims)) = inspect_actor(bytes).map_err(refused)? else { return Ok(None) };
            let checked = verify_actor(bytes, &trust, now).map(drop).map_err(ArchiveError::Verify);
            (token, AnyClaims::Actor(claims), checked)
        }
    };
    let name = own.into_iter().find(|(_, key)| key.as_str() == claims.issuer()).map(|(name, _)| name);
    // Times come after trust in the order of checks, so they are still open where the issuer is a stranger.
    let checked = match checked {
        Err(ArchiveError::Verify(VerifyError::UntrustedIssuer { .. })) => {
            claims.check_times(now).map_err(ArchiveError::Verify)
        }
        other => other,
    };
    Ok(Some(Signed { token, verdict: Verdict::of(checked, name), claims }))
}

/// Whether there are claims at all, whatever they are worth.
pub(crate) fn is_signed(bytes: &[u8], kind: Kind) -> bool {
    match kind {
        Kind::Provider => {
            !matches!(inspect_provider(bytes, &ArchiveLimits::default()), Err(ArchiveError::NoClaims))
        }
        // Claims that cannot be read are claims: the host says what is wrong with them.
        _ => !matches!(inspect_actor(bytes), Ok(None)),
    }
}

/// Reads and judges a bare token.
///
/// # Errors
/// It is none.
pub(crate) fn examine_token(token: &str, store: &KeyStore, now: u64) -> Outcome<Signed> {
    let decoded = decode_token(token).map_err(refused)?;
    let claims = decoded.claims;
    // Of any kind: accounts are issued by operators.
    let own = store.list()?.into_iter().filter_map(|stored| Some((stored.name, stored.key.ok()?)));
    let mut issuers = own.filter(|(_, key)| key.public_key().as_str() == claims.issuer());
    let name = issuers.next().map(|(name, _)| name);
    let checked = decoded.signature.and_then(|()| claims.check_times(now)).map_err(ArchiveError::Verify);
    Ok(Signed { token: token.to_owned(), verdict: Verdict::of(checked, name), claims })
}

impl Verdict {
    fn of(checked: Result<(), ArchiveError>, issuer_name: Option<String>) -> Verdict {
        match checked {
            Ok(()) => Verdict {
                valid: true,
                trusted: issuer_name.is_some(),
                issuer_name,
                problem: None,
                remedy: None,
                untimely: false,
            },
            Err(error) => {
                let remedy =
                    if let ArchiveError::Verify(error) = &error { Some(error.remedy()) } else { None };
                let problem = Some(error.to_string());
                let untimely = matches!(
                    error,
                    ArchiveError::Verify(VerifyError::NotYetValid { .. } | VerifyError::Expired { .. })
                );
                Verdict { valid: false, trusted: false, issuer_name, problem, remedy, untimely }
            }
        }
    }

    /// In one line.
    pub(crate) fn text(&self) -> String {
        match (&self.problem, &self.issuer_name) {
            (Some(problem), _) if self.untimely => format!("right, but not now: {problem}"),
            (Some(problem), _) => format!("WRONG: {problem}"),
            (None, Some(name)) => format!("good, by your own key {name}: trusted"),
            (None, None) => "good, by somebody whose key you do not have: not trusted by itself".to_owned(),
        }
    }
}

fn refused(error: VerifyError) -> Failure {
    let remedy = error.remedy();
    Failure::refused(error).help(remedy)
}
