//! Why this host has not got a secret.

use lattice_claims::SecretError;
use lattice_core::{ProviderId, SecretName};

/// Each text says what mends it; none holds anything of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Missing {
    /// There is none of that name, as far as this host knows.
    #[error("no secret {:?}; put it: wash secret put {name}", name.as_str())]
    Unknown { name: SecretName },
    /// Other hosts have it, this one has not.
    #[error(
        "secret {:?} is not sealed to this host yet; {holders} of its hosts can do that, and do as soon as one of them runs; \
         without them: wash secret put {name}",
        name.as_str()
    )]
    NotHere { name: SecretName, holders: usize },
    /// A link gives it to a provider that has no use for it.
    #[error("{provider} takes no secrets; put the link without secret {:?}", name.as_str())]
    NotTaken { name: SecretName, provider: ProviderId },
    /// It was meant for this host, and does not open.
    #[error("secret {:?} does not open: {why}; put it again: wash secret put {name}", name.as_str())]
    Broken { name: SecretName, why: SecretError },
}
