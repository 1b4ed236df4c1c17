//! Credentials that are replaced while a connection lives: whoever logs in again does so with the newest.

use std::sync::{Arc, PoisonError, RwLock};

use crate::Secret;

/// A user token with its seed, which may be replaced. Clones share it.
#[derive(Clone)]
pub struct Renewable(Arc<RwLock<Pair>>);

struct Pair {
    jwt: String,
    seed: Secret,
}

impl Renewable {
    /// The first ones.
    #[must_use]
    pub fn new(jwt: impl Into<String>, seed: Secret) -> Self {
        Self(Arc::new(RwLock::new(Pair { jwt: jwt.into(), seed })))
    }

    /// From now on these.
    pub fn renew(&self, jwt: impl Into<String>, seed: Secret) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Pair { jwt: jwt.into(), seed };
    }

    /// The token.
    #[must_use]
    pub fn jwt(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).jwt.clone()
    }

    /// What a server is answered that asks who logs in: the newest token, and its challenge signed by the key in it.
    pub(crate) fn answer(&self, nonce: &[u8]) -> Result<async_nats::Auth, async_nats::AuthError> {
        let pair = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let unusable = |error: nkeys::error::Error| async_nats::AuthError::new(error.to_string());
        let key = nkeys::KeyPair::from_seed(pair.seed.reveal()).map_err(unusable)?;
        let mut auth = async_nats::Auth::new();
        auth.signature = Some(key.sign(nonce).map_err(unusable)?);
        auth.jwt = Some(pair.jwt.clone());
        Ok(auth)
    }
}

impl std::fmt::Debug for Renewable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Renewable(hidden)")
    }
}

impl PartialEq for Renewable {
    /// The same one, not one that happens to hold the same.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Renewable {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_answers_and_nothing_is_shown() {
        let (old, new) = (nkeys::KeyPair::new_user(), nkeys::KeyPair::new_user());
        let seed = |key: &nkeys::KeyPair| Secret::new(key.seed().unwrap());
        let renewable = Renewable::new("old.token", seed(&old));
        let other = renewable.clone();
        other.renew("new.token", seed(&new));
        let auth = renewable.answer(b"nonce").unwrap();
        assert_eq!(auth.jwt.as_deref(), Some("new.token"));
        assert!(new.verify(b"nonce", &auth.signature.unwrap()).is_ok());
        assert!(!format!("{renewable:?}").contains("token"));
        assert!(Renewable::new("x", Secret::new("no seed")).answer(b"nonce").is_err());
    }
}
