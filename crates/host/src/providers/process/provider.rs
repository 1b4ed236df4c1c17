//! A provider process as the host's other parts see it: a provider.

use std::{borrow::Cow, collections::BTreeMap, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use lattice_claims::{Claims, ProviderMetadata};
use lattice_contracts::{Provider, ProviderContext, ProviderLink, Serves};
use lattice_core::{EntityId, LinkKey, State};
use lattice_nats::{Connection, ProviderLine};
use lattice_provider_sdk::wire::LinkDefinition;
use lattice_registry::Fetcher;
use tokio::time::Instant;

use super::{
    access::Access,
    binary::Binaries,
    confine::Confinement,
    life::Life,
    talk::{Excess, Talk},
};
use crate::{about::About, events::Events, providers::ProviderSpec, trust::Trusting};

/// Starts providers as processes; cheap to clone.
#[derive(Clone)]
pub(crate) struct Processes(Arc<Shared>);

/// What all processes have in common.
pub(super) struct Shared {
    pub(super) about: Arc<About>,
    pub(super) events: Events,
    pub(super) connection: Connection,
    pub(super) access: Arc<Access>,
    pub(super) binaries: Binaries,
    /// What processes do not see; none where they see all that this host's user does.
    pub(super) confinement: Option<Confinement>,
    line: ProviderLine,
}

/// A provider that runs as a process. Dropping it ends the process with the token of its context.
pub(crate) struct ProcessProvider {
    life: Arc<Life>,
}

impl Processes {
    pub(crate) fn new(
        about: Arc<About>,
        events: Events,
        connection: &Connection,
        access: Arc<Access>,
        (fetcher, trust, folder): (Arc<Fetcher>, Trusting, PathBuf),
        confinement: Option<Confinement>,
    ) -> Self {
        let line = ProviderLine::new(connection, &about.lattice, &about.id);
        let binaries = Binaries { fetcher, trust, folder };
        let connection = connection.clone();
        Self(Arc::new(Shared { about, events, connection, access, binaries, confinement, line }))
    }

    /// Fetches, checks and starts a provider; returns when it takes calls. The text of a failure says what mends it.
    ///
    /// Cancelled by dropping, together with the token of `context`: no process is left then.
    pub(crate) async fn start(
        &self,
        spec: &ProviderSpec,
        context: ProviderContext,
    ) -> Result<ProcessProvider, String> {
        let shared = &self.0;
        let got = shared.binaries.get(&spec.image, &spec.image_text).await;
        let binary = got.map_err(|error| error.told())?;
        let talk = Talk { line: shared.line.clone(), id: spec.id.clone(), excess: Excess::default() };
        let ProviderContext { config, report, tasks, cancel, .. } = context;
        let life = Arc::new(Life::new(shared.clone(), talk, binary, report, config, cancel));
        tasks.spawn(life.clone().live());
        let mut first = life.first.subscribe();
        match first.wait_for(Option::is_some).await.map(|first| first.clone()) {
            Ok(Some(Ok(()))) => Ok(ProcessProvider { life }),
            Ok(Some(Err(why))) => Err(why),
            // The sender lives as long as `life`.
            Ok(None) | Err(_) => Err("its task broke off; the host's log says why".to_owned()),
        }
    }
}

impl ProcessProvider {
    /// What is signed of it.
    pub(crate) fn claims(&self) -> Arc<Claims<ProviderMetadata>> {
        self.life.binary.claims.clone()
    }

    fn definition(&self, link: &ProviderLink) -> LinkDefinition {
        let mut definition = LinkDefinition::of(&link.key, 0);
        definition.interfaces.clone_from(&link.interfaces);
        let is_source = link.key.source == EntityId::from(self.life.id().clone());
        let own = if is_source { &mut definition.source_config } else { &mut definition.target_config };
        own.clone_from(&link.config);
        definition
    }
}

#[async_trait]
impl Provider for ProcessProvider {
    fn serves(&self) -> Cow<'static, [Serves]> {
        Cow::Owned(self.life.served())
    }

    /// What a process makes of them, it says of the link itself.
    fn takes_secrets(&self) -> bool {
        true
    }

    async fn put_link(&self, link: ProviderLink) {
        let definition = self.definition(&link);
        self.life.give(&link.key, link.secrets);
        let waits = "the provider's process has not taken it yet; it is told until it has";
        // Before it can be told, so that what it answers is the last word.
        self.life.report.link(&link.key, State::Pending(waits.to_owned()));
        self.life.want(&link.key, definition);
    }

    /// The process is told, and refuses calls of the link as soon as it has heard it; that is not waited for.
    async fn delete_link(&self, link: &LinkKey) {
        self.life.give(link, BTreeMap::new());
        self.life.unwant(link);
    }

    fn update_config(&self, config: BTreeMap<String, String>) {
        self.life.config.send_if_modified(|now| {
            let changed = *now != config;
            *now = config;
            changed
        });
    }

    fn is_process(&self) -> bool {
        true
    }

    async fn stop(&self, deadline: Instant) {
        self.life.stop.send_replace(Some(deadline));
        let mut over = self.life.over.subscribe();
        // The sender lives as long as `self`.
        let _over = over.wait_for(|over| *over).await;
    }
}
