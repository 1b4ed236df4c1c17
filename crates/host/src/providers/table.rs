//! The table of providers. It owns their states; each provider's own task (see `run`) does the work.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lattice_contracts::{Provider, http::Outgoing, keyvalue::Keyvalue};
use lattice_core::{ConfigName, ImageRef, LinkKey, ProviderId, State};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::signal::Changed;

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
}

/// A provider of that id runs already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AlreadyRunning;

/// No provider of that id runs here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotRunning;

struct Entry {
    spec: ProviderSpec,
    state: State,
    links: BTreeMap<LinkKey, State>,
    /// Present while it can be called.
    provider: Option<Arc<dyn Provider>>,
    stop: CancellationToken,
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
    pub(super) stop: CancellationToken,
    gone: watch::Sender<bool>,
    table: Providers,
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.table.withdraw(&self.id);
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
    pub(super) fn enter(
        &self,
        spec: ProviderSpec,
        stop: CancellationToken,
    ) -> Result<Tenure, AlreadyRunning> {
        let id = spec.id.clone();
        let gone = watch::Sender::new(false);
        let mut entries = self.lock();
        if entries.get(&id).is_some_and(|entry| !*entry.gone.borrow()) {
            return Err(AlreadyRunning);
        }
        let entry = Entry {
            spec,
            state: State::Starting,
            links: BTreeMap::new(),
            provider: None,
            stop: stop.clone(),
            gone: gone.clone(),
        };
        entries.insert(id.clone(), entry);
        drop(entries);
        self.changed.tell();
        Ok(Tenure { id, stop, gone, table: self.clone() })
    }

    /// From now on calls find it.
    pub(super) fn install(&self, id: &ProviderId, provider: Arc<dyn Provider>) {
        self.update(id, |entry| entry.provider = Some(provider));
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

    /// Stops a provider and waits until nothing of it is left.
    pub(crate) async fn stop(&self, id: &ProviderId) -> Result<ProviderSpec, NotRunning> {
        let mut gone = {
            let mut entries = self.lock();
            let entry = entries.get_mut(id).ok_or(NotRunning)?;
            entry.stop.cancel();
            entry.gone.subscribe()
        };
        // An error means that the sender is gone, and with it the task.
        let _ended = gone.wait_for(|gone| *gone).await;
        let entry = self.lock().remove(id).ok_or(NotRunning)?;
        self.changed.tell();
        Ok(entry.spec)
    }

    /// Every provider, by id.
    pub(crate) fn list(&self) -> Vec<ProviderView> {
        let view = |entry: &Entry| ProviderView {
            spec: entry.spec.clone(),
            state: entry.state.clone(),
            links: entry.links.clone(),
        };
        self.lock().values().map(view).collect()
    }

    /// The links of which it has a state.
    pub(super) fn links_of(&self, id: &ProviderId) -> Vec<LinkKey> {
        self.lock().get(id).map(|entry| entry.links.keys().cloned().collect()).unwrap_or_default()
    }

    /// True if a provider of that id is in the table and has not failed.
    pub(crate) fn runs(&self, id: &str) -> bool {
        self.lock().get(id).is_some_and(|entry| !*entry.gone.borrow())
    }

    /// The sides by which actors call it, where it runs here.
    pub(crate) fn sides(&self, id: &ProviderId) -> (Option<Arc<dyn Keyvalue>>, Option<Arc<dyn Outgoing>>) {
        let provider = self.lock().get(id).and_then(|entry| entry.provider.clone());
        provider.map_or((None, None), |provider| (provider.keyvalue(), provider.http_outgoing()))
    }
}
