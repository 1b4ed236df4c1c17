//! Facts by what they are: links, configurations, claims, hosts.

use std::collections::BTreeMap;

use lattice_core::{
    AccountKey, ConfigName, FactKey, HostFact, HostId, Link, LinkKey, RoleFact, SecretFact, SecretName,
    TrustFact, UserKey,
};
use serde_json::{Map, Value};

use super::{FactStore, StateError, Version};

impl FactStore {
    /// Writes a link.
    ///
    /// # Errors
    /// As [`FactStore::put`].
    pub async fn put_link(&self, link: &Link) -> Result<Version, StateError> {
        let unwritable = |why: String| StateError::Unwritable { key: "link".to_owned(), why };
        let key = link.check().map_err(|error| unwritable(error.to_string()))?;
        let data = serde_json::to_value(link).map_err(|error| unwritable(error.to_string()))?;
        self.put(&FactKey::Link(key), data).await
    }

    /// Deletes a link; the link that was there.
    ///
    /// # Errors
    /// As [`FactStore::delete`].
    pub async fn delete_link(&self, key: &LinkKey) -> Result<Option<Link>, StateError> {
        let before = self.delete(&FactKey::Link(key.clone())).await?;
        Ok(before.and_then(|fact| serde_json::from_value(fact.data).ok()))
    }

    /// Writes a configuration.
    ///
    /// # Errors
    /// As [`FactStore::put`].
    pub async fn put_config(
        &self,
        name: &ConfigName,
        values: &BTreeMap<String, String>,
    ) -> Result<Version, StateError> {
        let data = values.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect();
        self.put(&FactKey::Config(name.clone()), Value::Object(data)).await
    }

    /// Deletes a configuration; true if there was one.
    ///
    /// # Errors
    /// As [`FactStore::delete`].
    pub async fn delete_config(&self, name: &ConfigName) -> Result<bool, StateError> {
        self.delete(&FactKey::Config(name.clone())).await.map(|before| before.is_some())
    }

    /// Writes the claims of `subject`.
    ///
    /// # Errors
    /// As [`FactStore::put`].
    pub async fn put_claims(&self, subject: &str, claims: Map<String, Value>) -> Result<Version, StateError> {
        self.put(&FactKey::Claims(subject.to_owned()), Value::Object(claims)).await
    }

    /// Writes whether signatures of `key` count.
    ///
    /// # Errors
    /// As [`FactStore::put`].
    pub async fn put_trust(&self, key: &AccountKey, says: &TrustFact) -> Result<Version, StateError> {
        let key = FactKey::Trust(key.clone());
        let data = serde_json::to_value(says)
            .map_err(|error| StateError::Unwritable { key: key.to_string(), why: error.to_string() })?;
        self.put(&key, data).await
    }

    /// Deletes what the lattice says of `key`; true if it said something.
    ///
    /// # Errors
    /// As [`FactStore::delete`].
    pub async fn delete_trust(&self, key: &AccountKey) -> Result<bool, StateError> {
        self.delete(&FactKey::Trust(key.clone())).await.map(|before| before.is_some())
    }

    /// Writes what `key` may command.
    ///
    /// # Errors
    /// As [`FactStore::put`].
    pub async fn put_role(&self, key: &UserKey, says: &RoleFact) -> Result<Version, StateError> {
        let key = FactKey::Role(key.clone());
        let data = serde_json::to_value(says)
            .map_err(|error| StateError::Unwritable { key: key.to_string(), why: error.to_string() })?;
        self.put(&key, data).await
    }

    /// Deletes what `key` may command; true if there was something.
    ///
    /// # Errors
    /// As [`FactStore::delete`].
    pub async fn delete_role(&self, key: &UserKey) -> Result<bool, StateError> {
        self.delete(&FactKey::Role(key.clone())).await.map(|before| before.is_some())
    }

    /// Writes a secret; with `seen` only in place of that version.
    ///
    /// # Errors
    /// As [`FactStore::put`], and with `seen` as [`FactStore::replace`].
    pub async fn put_secret(
        &self,
        name: &SecretName,
        secret: &SecretFact,
        seen: Option<&Version>,
    ) -> Result<Version, StateError> {
        let key = FactKey::Secret(name.clone());
        let data = serde_json::to_value(secret)
            .map_err(|error| StateError::Unwritable { key: key.to_string(), why: error.to_string() })?;
        match seen {
            Some(seen) => self.replace(&key, seen, data).await,
            None => self.put(&key, data).await,
        }
    }

    /// Deletes a secret, and with it every box; true if there was one.
    ///
    /// # Errors
    /// As [`FactStore::delete`].
    pub async fn delete_secret(&self, name: &SecretName) -> Result<bool, StateError> {
        self.delete(&FactKey::Secret(name.clone())).await.map(|before| before.is_some())
    }

    /// Writes what `host` tells of itself.
    ///
    /// # Errors
    /// As [`FactStore::put`].
    pub async fn put_host(&self, host: &HostId, told: &HostFact) -> Result<Version, StateError> {
        let key = FactKey::Host(host.clone());
        let data = serde_json::to_value(told)
            .map_err(|error| StateError::Unwritable { key: key.to_string(), why: error.to_string() })?;
        self.put(&key, data).await
    }

    /// Deletes what `host` told of itself; true if there was something.
    ///
    /// # Errors
    /// As [`FactStore::delete`].
    pub async fn delete_host(&self, host: &HostId) -> Result<bool, StateError> {
        self.delete(&FactKey::Host(host.clone())).await.map(|before| before.is_some())
    }
}
