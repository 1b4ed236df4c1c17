//! The table of providers. It owns their states; each provider's own task (see `run`) does the work.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lattice_claims::{Claims, ProviderMetadata};
use lattice_contracts::{Provider, Serves};
use lattice_core::{ConfigName, ImageRef, LinkKey, ProviderId, State};
use tokio::{sync::watch, time::Instant};

use crate::{links::Sides, signal::Changed};

/// What an operator asked to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProviderSpec {
    pub(crate) id: ProviderId,
    pub(crate) image: ImageRef,
    /// The reference as it was given.
    pub(crate) image_text: String,
    /// Named configurations, merged left to right.
    pub(crate) config: Vec<ConfigName>,
    pub(crate) annotations: BTreeMap<String, String>,
}

impl ProviderSpec {
    /// The reference as v1 shows that of a provider: without its scheme. Ours for built-in ones stays, so that what is
    /// shown can be typed.
    pub(crate) fn shown_image(&self) -> &str {
        ["oci://", "http://", "https://", "file://", "wasmcloud+builtin://"]
            .iter()
            .find_map(|scheme| self.image_text.strip_prefix(scheme))
            .unwrap_or(&self.image_text)
    }
}

/// A provider as inventories show it.
#[derive(Debug, Clone)]
pub(crate) struct ProviderView {
    pub(crate) spec: ProviderSpec,
    pub(crate) state: State,
    pub(crate) links: BTreeMap<LinkKey, State>,
    /// The interfaces it takes part in, while it can be called.
    pub(crate) serves: Option<Cow<'static, [Serves]>>,
    /// True if it is a process of its own.
    pub(crate) is_process: bool,
    /// What is signed of it, where it is.
    pub(crate) claims: Option<Arc<Claims<ProviderMetadata>>>,
}

/// Why a provider is not even tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartRefused {
    /// One of that id runs already.
    AlreadyRunning,
    /// The host is stopping.
    Stopping,
}

/// No provider of that id runs here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotRunning;

struct Entry {
    spec: ProviderSpec,
    state: State,
    links: BTreeMap<LinkKey, State>,
    /// Present while it can be called.
    provider: Option<Arc<dyn Provider>>,
    claims: Option<Arc<Claims<ProviderMetadata>>>,
    /// Until when calls in flight may go on, once it shall stop.
    stop: watch::Sender<Option<Instant>>,
    /// True when its task has ended and nothing of it is left.
    gone: watch::Sender<bool>,
}

/// The table; cheap to clone.
#[derive(Clone)]
pub(crate) struct Providers {
    entries: Arc<Mutex<BTreeMap<ProviderId, Entry>>>,
    changed: Changed,
}

/// What a provider's task holds of its entry: ends the entry's life when dropped, whatever happens to the task.
pub(super) struct Tenure {
    pub(super) id: ProviderId,
    stop: watch::Receiver<Option<Instant>>,
    gone: watch::Sender<bool>,
    table: Providers,
    orderly: bool,
}

impl Tenure {
    /// Waits until the provider shall stop, and tells until when calls in flight may go on. Cancel-safe.
    pub(super) async fn stopped(&self) -> Instant {
        let mut stop = self.stop.clone();
        match stop.wait_for(Option::is_some).await {
            Ok(deadline) => deadline.unwrap_or_else(Instant::now),
            // The entry was taken from the table with the sender in it.
            Err(_) => Instant::now(),
        }
    }

    /// The task has come to its own end and has said how.
    pub(super) fn end(mut self) {
        self.orderly = true;
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.table.withdraw(&self.id);
        if !self.orderly {
            let reason = "its task broke off; the host's log says why; stop it and start it again";
            self.table.set_state(&self.id, State::Failed(reason.to_owned()));
        }
        self.gone.send_replace(true);
    }
}

impl Providers {
    pub(crate) fn new(changed: Changed) -> Self {
        Self { entries: Arc::default(), changed }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProviderId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an entry in state `starting`; one that failed before is replaced.
    pub(super) fn enter(&self, spec: ProviderSpec) -> Result<Tenure, StartRefused> {
        let id = spec.id.clone();
        let (gone, (stop, stopped)) = (watch::Sender::new(false), watch::channel(None));
        let mut entries = self.lock();
        if entries.get(&id).is_some_and(|entry| !*entry.gone.borrow()) {
            return Err(StartRefused::AlreadyRunning);
        }
        let entry = Entry {
            spec,
            state: State::Starting,
            links: BTreeMap::new(),
            provider: None,
            claims: None,
            stop,
            gone: gone.clone(),
        };
        entries.insert(id.clone(), entry);
        drop(entries);
        self.changed.tell();
        Ok(Tenure { id, stop: stopped, gone, table: self.clone(), orderly: false })
    }

    /// From now on calls find it.
    pub(super) fn install(&self, id: &ProviderId, provider: Arc<dyn Provider>) {
        self.update(id, |entry| entry.provider = Some(provider));
    }

    /// What is signed of it.
    pub(super) fn set_claims(&self, id: &ProviderId, claims: Arc<Claims<ProviderMetadata>>) {
        self.update(id, |entry| entry.claims = Some(claims));
    }

    /// From now on calls find it no longer.
    pub(super) fn withdraw(&self, id: &ProviderId) {
        self.update(id, |entry| entry.provider = None);
    }

    pub(super) fn set_state(&self, id: &ProviderId, state: State) {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(id).filter(|entry| entry.state != state) else { return };
        entry.state = state;
        drop(entries);
        self.changed.tell();
    }

    /// `None` forgets the link.
    pub(super) fn set_link(&self, id: &ProviderId, link: &LinkKey, state: Option<State>) {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(id).filter(|entry| entry.links.get(link) != state.as_ref()) else {
            return;
        };
        match state {
            Some(state) => entry.links.insert(link.clone(), state),
            None => entry.links.remove(link),
        };
        drop(entries);
        self.changed.tell();
    }

    fn update(&self, id: &ProviderId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.lock().get_mut(id) {
            change(entry);
        }
        self.changed.tell();
    }

    /// Stops a provider and waits until nothing of it is left: calls in flight may go on until `deadline`.
    pub(crate) async fn stop(&self, id: &ProviderId, deadline: Instant) -> Result<ProviderSpec, NotRunning> {
        let mine = {
            let mut entries = self.lock();
            let entry = entries.get_mut(id).ok_or(NotRunning)?;
            // The first deadline holds: who stops it again only waits.
            entry.stop.send_if_modified(|stop| stop.replace(stop.unwrap_or(deadline)).is_none());
            entry.gone.clone()
        };
        let mut gone = mine.subscribe();
        // Cannot fail: `mine` is a sender.
        let _ended = gone.wait_for(|gone| *gone).await;
        let mut entries = self.lock();
        // Another one may have been started under the same id since.
        let is_mine = entries.get(id).is_some_and(|entry| entry.gone.same_channel(&mine));
        let entry = if is_mine { entries.remove(id) } else { None };
        drop(entries);
        self.changed.tell();
        entry.map(|entry| entry.spec).ok_or(NotRunning)
    }

    /// Every provider, by id.
    pub(crate) fn list(&self) -> Vec<ProviderView> {
        let view = |entry: &Entry| ProviderView {
            spec: entry.spec.clone(),
            state: entry.state.clone(),
            links: entry.links.clone(),
            serves: entry.provider.as_ref().map(|provider| provider.serves()),
            is_process: !matches!(entry.spec.image, ImageRef::Builtin(_)),
            claims: entry.claims.clone(),
        };
        self.lock().values().map(view).collect()
    }

    /// The states of its links, as they are shown now.
    pub(super) fn links_of(&self, id: &ProviderId) -> BTreeMap<LinkKey, State> {
        self.lock().get(id).map(|entry| entry.links.clone()).unwrap_or_default()
    }

    /// True if a provider of that id is in the table and has not failed.
    pub(crate) fn runs(&self, id: &str) -> bool {
        self.lock().get(id).is_some_and(|entry| !*entry.gone.borrow())
    }

    /// The providers that take calls of actors: those that have a side for it and are not being stopped.
    pub(crate) fn callable(&self) -> Vec<ProviderId> {
        let takes = |entry: &Entry| {
            let called = |one: &Arc<dyn Provider>| one.keyvalue().is_some() || one.http_outgoing().is_some();
            entry.state != State::Stopping && entry.provider.as_ref().is_some_and(called)
        };
        self.lock().iter().filter(|(_, entry)| takes(entry)).map(|(id, _)| id.clone()).collect()
    }

    /// The sides by which actors call it; `None` where it is no provider of this host. One that is being stopped has none:
    /// calls go where others are.
    pub(crate) fn sides(&self, id: &ProviderId) -> Option<Sides> {
        let entries = self.lock();
        let entry = entries.get(id)?;
        let provider = entry.provider.clone().filter(|_| entry.state != State::Stopping);
        Some(provider.map_or_else(Sides::default, |provider| Sides {
            keyvalue: provider.keyvalue(),
            http: provider.http_outgoing(),
            function: None,
        }))
    }
}
