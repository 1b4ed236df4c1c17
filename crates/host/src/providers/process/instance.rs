//! One process's identity: keys and credentials that are its own, and gone with it.

use std::{collections::BTreeMap, time::Duration};

use lattice_claims::{KeyKind, KeyPair, PublicKey, SealError, seal};
use lattice_core::ProviderId;
use lattice_provider_sdk::wire::{Credentials, HostData, LinkDefinition, PROTOCOL};
use tokio::time::Instant;

use super::access::{Access, AccessError, Login};
use crate::about::About;

/// What a process is known by, and what it logs in with.
pub(super) struct Instance {
    pub(super) id: String,
    /// By which this host seals for it.
    host: KeyPair,
    /// By which it opens.
    own: KeyPair,
    login: Option<Login>,
    /// How many credentials it has been given.
    number: u64,
    /// When the newest were signed.
    signed: Instant,
}

impl Instance {
    pub(super) fn new(login: Option<Login>) -> Self {
        let curve = || KeyPair::generate(KeyKind::Curve);
        let number = u64::from(login.is_some());
        let id = uuid::Uuid::new_v4().to_string();
        Self { id, host: curve(), own: curve(), login, number, signed: Instant::now() }
    }

    /// What the process is told.
    pub(super) fn host_data(
        &self,
        about: &About,
        provider: &ProviderId,
        access: &Access,
        config: BTreeMap<String, String>,
        links: Vec<LinkDefinition>,
    ) -> HostData {
        let (jwt, seed) = self.login.as_ref().map_or(("", ""), |login| (&login.jwt, login.seed.reveal()));
        HostData {
            host_id: about.id.to_string(),
            lattice_rpc_prefix: about.lattice.to_string(),
            link_name: "default".to_owned(),
            lattice_rpc_user_jwt: jwt.to_owned(),
            lattice_rpc_user_seed: seed.to_owned(),
            lattice_rpc_url: access.servers().to_owned(),
            provider_key: provider.to_string(),
            instance_id: self.id.clone(),
            link_definitions: links,
            config,
            host_xkey_public_key: self.host.public_key().to_string(),
            provider_xkey_private_key: self.own.seed().expose().to_owned(),
            default_rpc_timeout_ms: Some(2000),
            log_level: Some("info".to_owned()),
            protocol: Some(PROTOCOL),
            lifeline: true,
            lattice_rpc_tls_ca_file: access.ca_file().map(|file| file.display().to_string()),
            ..HostData::default()
        }
    }

    /// By which key is sealed for it, and to which.
    pub(super) fn seals(&self) -> (KeyPair, PublicKey) {
        (self.host.clone(), self.own.public_key().clone())
    }

    /// When its credentials are to be renewed: at half of their time. None where they are not its own.
    pub(super) fn renew_at(&self, access: &Access) -> Option<Instant> {
        self.login.as_ref().filter(|login| login.own)?;
        Some(self.signed + access.lasts() / 2)
    }

    /// New credentials, sealed for this process and no other, with their number.
    pub(super) fn renewed(&mut self, login: &Login) -> Result<(u64, Vec<u8>), RenewError> {
        let number = self.number + 1;
        let credentials = Credentials {
            instance_id: self.id.clone(),
            number,
            jwt: login.jwt.clone(),
            seed: login.seed.reveal().to_owned(),
        };
        let sealed = seal(&serde_json::to_vec(&credentials)?, self.own.public_key(), &self.host)?;
        self.number = number;
        Ok((number, sealed))
    }

    /// The process has credentials that were signed then.
    pub(super) fn has_renewed(&mut self, signed: Instant) {
        self.signed = signed;
    }

    /// It has not: tried again after `pause`.
    pub(super) fn put_off(&mut self, access: &Access, pause: Duration) {
        self.signed = (Instant::now() + pause).checked_sub(access.lasts() / 2).unwrap_or_else(Instant::now);
    }
}

/// Why a process has no new credentials.
#[derive(Debug, thiserror::Error)]
pub(super) enum RenewError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}
