//! This host's view of the lattice's facts: links, configurations, claims. Reads never wait; writes are acknowledged
//! when the bucket and this host's disk have them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Context as _;
use lattice_claims::{ActorMetadata, Claims, ProviderMetadata};
use lattice_control_interface::{
    ClaimsMap,
    events::{FactOverridden, FactVersion},
};
use lattice_core::{
    AccountKey, ConfigName, FactKey, HostFact, HostId, LatticeName, Link, LinkKey, RoleFact, SecretFact,
    SecretName, TrustFact, UserKey,
};
use lattice_nats::{Connection, Fact, FactStore, Facts, Overridden, StateError, Version};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    events::Events, links::Configs, memory::Memory, roles, secrets::Known, signal::Changed,
    supervisor::Tasks, trust,
};

/// Queue-group queries wait this long for this host's watch to have what was just written elsewhere.
const CURRENT_WITHIN: Duration = Duration::from_millis(500);
/// How long a stopping host tries to take its own fact back.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// The facts as they are now, typed.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) links: BTreeMap<LinkKey, Link>,
    pub(crate) configs: Configs,
    /// Configurations of which it is known that they were deleted.
    pub(crate) deleted_configs: BTreeSet<ConfigName>,
    /// By subject key.
    pub(crate) claims: BTreeMap<String, ClaimsMap>,
    /// What hosts told of themselves, this one too.
    pub(crate) hosts: BTreeMap<HostId, HostFact>,
    /// Whose signatures count, by key: the same value as in the view before where nothing of it changed.
    pub(crate) trust: Arc<trust::Words>,
    /// Who may command what, by key: kept in the same way.
    pub(crate) roles: Arc<roles::Words>,
    /// Secrets, sealed.
    pub(crate) secrets: BTreeMap<SecretName, Known>,
    /// Secrets of which it is known that they were deleted.
    pub(crate) deleted_secrets: BTreeSet<SecretName>,
}

/// What a fact says, when it was written, and by which host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written<T> {
    pub(crate) says: T,
    pub(crate) at: String,
    pub(crate) writer: String,
    pub(crate) version: u64,
}

impl<T> Written<T> {
    fn of(says: T, fact: &Fact) -> Self {
        Self { says, at: fact.at.clone(), writer: fact.writer.clone(), version: fact.version }
    }
}

/// The facts and what they read as, always of one moment.
#[derive(Default)]
struct Seen {
    facts: Arc<Facts>,
    view: Arc<View>,
}

/// The view and the way to change it; cheap to clone.
#[derive(Clone)]
pub(crate) struct Lattice {
    me: HostId,
    store: Arc<FactStore>,
    seen: Arc<RwLock<Seen>>,
    changed: Changed,
}

impl Lattice {
    /// Reads what is remembered and what has changed since, and from then on keeps the view in step.
    pub(crate) async fn open(
        connection: &Connection,
        lattice: &LatticeName,
        host: &HostId,
        memory: &Memory,
        changed: &Changed,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let store = match memory.folder() {
            Some(folder) => FactStore::open_in(connection, lattice, host.clone(), folder).await,
            None => FactStore::open(connection, lattice, host.clone()).await,
        };
        let store = store.context("cannot open the bucket of facts")?;
        let (me, changed) = (host.clone(), changed.clone());
        let this = Self { me, store: Arc::new(store), seen: Arc::default(), changed };
        let heard = this.store.subscribe_changes();
        this.refresh();
        tasks.spawn_core("facts", this.clone().keep(heard, tasks.stop_token()));
        Ok(this)
    }

    async fn keep(self, mut heard: tokio::sync::watch::Receiver<u64>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                news = heard.changed() => if news.is_err() { return },
            }
            self.refresh();
        }
    }

    /// How many facts this host remembered when it was started.
    pub(crate) fn remembered(&self) -> usize {
        self.store.remembered()
    }

    /// Tells the lattice of facts that lost when the bucket was merged with what this host knows, until stopped.
    pub(crate) async fn tell_overridden(self, events: Events, stop: CancellationToken) {
        let Some(mut overridden) = self.store.overridden() else { return };
        loop {
            let one = tokio::select! {
                () = stop.cancelled() => return,
                one = overridden.recv() => one,
            };
            let Some(Overridden { key, kept, lost }) = one else { return };
            // A bucket that comes back may make hundreds of them at once.
            let event = FactOverridden { key: key.to_string(), kept: version(kept), lost: version(lost) };
            tokio::select! {
                () = stop.cancelled() => return,
                () = events.publish_when_there_is_room(&event) => {}
            }
        }
    }

    fn refresh(&self) {
        // The snapshot is taken under the lock: of two at work at once, the later one has the later facts.
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        let facts = self.store.snapshot();
        if Arc::ptr_eq(&facts, &seen.facts) {
            return;
        }
        *seen = Seen { view: Arc::new(typed(&facts, &seen.view)), facts };
        drop(seen);
        self.changed.tell();
    }

    /// The facts as they are now.
    pub(crate) fn view(&self) -> Arc<View> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).view.clone()
    }

    /// The version of a link, where there is one.
    pub(crate) fn link_version(&self, link: &LinkKey) -> Option<Version> {
        let facts = self.seen.read().unwrap_or_else(PoisonError::into_inner).facts.clone();
        Some(facts.fact(&FactKey::Link(link.clone()))?.version())
    }

    /// The signal of this host: told when facts change, and by the tables when theirs does.
    pub(crate) fn changed(&self) -> &Changed {
        &self.changed
    }

    /// Waits until the view has what the bucket has, or half a second.
    pub(crate) async fn wait_current(&self) {
        if self.store.wait_current(CURRENT_WITHIN).await {
            self.refresh();
        }
    }

    pub(crate) async fn put_link(&self, link: &Link) -> Result<(), StateError> {
        let written = self.store.put_link(link).await.map(drop);
        self.refreshed(written)
    }

    pub(crate) async fn delete_link(&self, key: &LinkKey) -> Result<(), StateError> {
        let written = self.store.delete_link(key).await.map(drop);
        self.refreshed(written)
    }

    pub(crate) async fn put_config(
        &self,
        name: &ConfigName,
        values: &BTreeMap<String, String>,
    ) -> Result<(), StateError> {
        let written = self.store.put_config(name, values).await.map(drop);
        self.refreshed(written)
    }

    pub(crate) async fn delete_config(&self, name: &ConfigName) -> Result<(), StateError> {
        let written = self.store.delete_config(name).await.map(drop);
        self.refreshed(written)
    }

    pub(crate) async fn put_trust(&self, key: &AccountKey, says: &TrustFact) -> Result<(), StateError> {
        let written = self.store.put_trust(key, says).await.map(drop);
        self.refreshed(written)
    }

    pub(crate) async fn delete_trust(&self, key: &AccountKey) -> Result<(), StateError> {
        let written = self.store.delete_trust(key).await.map(drop);
        self.refreshed(written)
    }

    pub(crate) async fn put_role(&self, key: &UserKey, says: &RoleFact) -> Result<(), StateError> {
        let written = self.store.put_role(key, says).await.map(drop);
        self.refreshed(written)
    }

    pub(crate) async fn delete_role(&self, key: &UserKey) -> Result<(), StateError> {
        let written = self.store.delete_role(key).await.map(drop);
        self.refreshed(written)
    }

    /// With `seen` only in place of that version.
    pub(crate) async fn put_secret(
        &self,
        name: &SecretName,
        says: &SecretFact,
        seen: Option<&Version>,
    ) -> Result<(), StateError> {
        let written = self.store.put_secret(name, says, seen).await.map(drop);
        self.refreshed(written)
    }

    pub(crate) async fn delete_secret(&self, name: &SecretName) -> Result<(), StateError> {
        let written = self.store.delete_secret(name).await.map(drop);
        self.refreshed(written)
    }

    /// Puts an actor's claims on record. What fails here is the record, not the actor.
    pub(crate) async fn put_claims(&self, claims: &Claims<ActorMetadata>) {
        self.put_claims_map(&claims.subject, claims_map(claims)).await;
    }

    /// Puts a provider's claims on record. What fails here is the record, not the provider.
    pub(crate) async fn put_provider_claims(&self, claims: &Claims<ProviderMetadata>) {
        self.put_claims_map(&claims.subject, provider_claims_map(claims)).await;
    }

    async fn put_claims_map(&self, subject: &str, map: ClaimsMap) {
        if self.view().claims.get(subject) == Some(&map) {
            return;
        }
        let data = map.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
        let written = self.store.put_claims(subject, data).await.map(drop);
        if let Err(error) = self.refreshed(written) {
            warn!(subject, %error, "claims are not on record");
        }
    }

    /// Writes what this host tells of itself.
    pub(crate) async fn put_host(&self, told: &HostFact) -> Result<(), StateError> {
        let written = self.store.put_host(&self.me, told).await.map(drop);
        self.refreshed(written)
    }

    /// Takes away what another host told of itself. If that one comes back it tells it anew.
    pub(crate) async fn forget_host(&self, host: &HostId) -> Result<(), StateError> {
        let written = self.store.delete_host(host).await.map(drop);
        self.refreshed(written)
    }

    /// Takes back what this host told of itself: it stops in order. Who does not hear of it finds out in another way.
    pub(crate) async fn delete_host(&self) {
        match tokio::time::timeout(GOODBYE_WITHIN, self.store.delete_host(&self.me)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => warn!(%error, "this host's own fact was not deleted"),
            Err(_) => warn!("this host's own fact was not deleted in time"),
        }
    }

    /// Whoever wrote reads its own write at once.
    fn refreshed(&self, written: Result<(), StateError>) -> Result<(), StateError> {
        self.refresh();
        written
    }

    pub(crate) async fn close(&self) {
        self.store.close().await;
    }
}

/// Facts as what they are.
pub(crate) fn typed(facts: &Facts, before: &View) -> View {
    let claims = facts.claims().map(|(subject, map)| {
        let texts = map.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        (subject.to_owned(), texts.collect())
    });
    View {
        links: facts.links().map(|(key, link)| (key.clone(), link)).collect(),
        configs: facts.configs().map(|(name, values)| (name.clone(), values)).collect(),
        deleted_configs: facts.all().filter_map(deleted_config).collect(),
        claims: claims.collect(),
        hosts: facts.hosts().map(|(id, told)| (id.clone(), told)).collect(),
        trust: kept(&before.trust, facts.trust().map(written).collect()),
        roles: kept(&before.roles, facts.roles().map(written).collect()),
        secrets: facts.secrets().map(secret).collect(),
        deleted_secrets: facts.all().filter_map(deleted_secret).collect(),
    }
}

fn deleted_config((key, fact): (&FactKey, &Fact)) -> Option<ConfigName> {
    match key {
        FactKey::Config(name) if fact.deleted => Some(name.clone()),
        _ => None,
    }
}

fn deleted_secret((key, fact): (&FactKey, &Fact)) -> Option<SecretName> {
    match key {
        FactKey::Secret(name) if fact.deleted => Some(name.clone()),
        _ => None,
    }
}

fn secret((name, says, fact): (&SecretName, SecretFact, &Fact)) -> (SecretName, Known) {
    (name.clone(), Known { says, version: fact.version() })
}

fn written<K: Clone, T>((key, says, fact): (&K, T, &Fact)) -> (K, Written<T>) {
    (key.clone(), Written::of(says, fact))
}

/// What was there before, where it is the same: whoever derives something from it sees that by the pointer.
fn kept<T: PartialEq>(before: &Arc<T>, now: T) -> Arc<T> {
    if **before == now { before.clone() } else { Arc::new(now) }
}

fn version(fact: Fact) -> FactVersion {
    FactVersion { version: fact.version, writer: fact.writer, at: fact.at, deleted: fact.deleted }
}

/// The map that v1 tools read: every value is text.
fn claims_map(claims: &Claims<ActorMetadata>) -> ClaimsMap {
    let metadata = claims.metadata.as_ref();
    let revision = metadata.and_then(|m| m.revision).unwrap_or(0).to_string();
    let tags = metadata.and_then(|m| m.tags.as_ref()).map(|tags| tags.join(",")).unwrap_or_default();
    let text = |value: Option<String>| value.unwrap_or_default();
    [
        ("call_alias", text(metadata.and_then(|m| m.call_alias.clone()))),
        ("iss", claims.issuer.clone()),
        ("issuer", claims.issuer.clone()),
        ("name", text(metadata.and_then(|m| m.name.clone()))),
        ("rev", revision.clone()),
        ("revision", revision),
        ("sub", claims.subject.clone()),
        ("subject", claims.subject.clone()),
        ("tags", tags),
        ("version", text(metadata.and_then(|m| m.version.clone()))),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// The same of a provider, which has neither alias nor tags.
fn provider_claims_map(claims: &Claims<ProviderMetadata>) -> ClaimsMap {
    let metadata = claims.metadata.as_ref();
    let revision = metadata.and_then(|m| m.revision).unwrap_or(0).to_string();
    let text = |value: Option<String>| value.unwrap_or_default();
    [
        ("iss", claims.issuer.clone()),
        ("issuer", claims.issuer.clone()),
        ("name", text(metadata.and_then(|m| m.name.clone()))),
        ("rev", revision.clone()),
        ("revision", revision),
        ("sub", claims.subject.clone()),
        ("subject", claims.subject.clone()),
        ("version", text(metadata.and_then(|m| m.version.clone()))),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}
