//! What runs here and how it fares: the answer to `host.get`, and the heartbeat's data.

use std::{collections::BTreeMap, sync::Arc};

use lattice_control_interface::{
    ComponentDescription, Host, HostInventory, LIMIT_CPU_TIME_MS, LIMIT_EXECUTION_TIME_S, LIMIT_MEMORY_BYTES,
    LinkStatus, ProviderDescription,
};
use lattice_core::{ActorId, LinkKey, ProviderId, State};
use lattice_runtime::RuntimeReport;
use serde_json::{Map, Value, json};

use crate::{
    about::{About, human_seconds},
    actors::{ActorView, Actors, Limits, Running, state_with_links},
    calls::RefusedCalls,
    ctl::Guard,
    directory::Directory,
    health::Health,
    lattice::Lattice,
    links::{Seen, Survey},
    providers::{Access, Providers},
    secrets::Secrets,
    trust::Trusting,
};

/// Reads all tables; cheap to clone.
#[derive(Clone)]
pub(crate) struct Inventory {
    pub(crate) about: Arc<About>,
    pub(crate) actors: Actors,
    pub(crate) providers: Providers,
    pub(crate) lattice: Lattice,
    pub(crate) directory: Directory,
    pub(crate) health: Health,
    pub(crate) trust: Trusting,
    pub(crate) secrets: Secrets,
    /// How provider processes log in.
    pub(crate) access: Arc<Access>,
    /// Who may command.
    pub(crate) guard: Arc<Guard>,
    /// Calls without a right.
    pub(crate) refused_calls: Arc<RefusedCalls>,
    /// How the engine stands.
    pub(crate) engine: RuntimeReport,
}

/// Every state on this host, as it is to be shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct States {
    pub(crate) actors: BTreeMap<ActorId, State>,
    pub(crate) providers: BTreeMap<ProviderId, State>,
    pub(crate) links: BTreeMap<LinkKey, State>,
}

impl Inventory {
    /// The short description that answers `host.ping`.
    pub(crate) fn host(&self) -> Host {
        let about = &self.about;
        let (uptime, state) = (about.uptime_seconds(), self.health.state());
        Host {
            id: about.id.clone(),
            friendly_name: about.friendly_name.clone(),
            labels: about.labels(),
            lattice: about.lattice.clone(),
            uptime_seconds: uptime,
            uptime_human: Some(human_seconds(uptime)),
            version: Some(about.version().to_owned()),
            js_domain: about.js_domain.clone(),
            rpc_host: Some(about.server.clone()),
            ctl_host: Some(about.server.clone()),
            state: Some(state.word().to_owned()),
            reason: state.reason().map(str::to_owned),
            notices: self.notices(),
            peers: Some(self.directory.peers()),
            lost: self.directory.lost(),
            open: self.health.is_open(),
            xkey: Some(self.secrets.xkey()),
        }
    }

    /// What an operator should know at every look.
    fn notices(&self) -> Vec<String> {
        let lasting = self.about.notices.iter().cloned();
        let passing = [self.trust.notice(), self.guard.notice(), self.unprotected()].into_iter().flatten();
        lasting.chain(passing).chain(self.health.notices()).collect()
    }

    /// What is not protected of NATS while provider processes run here.
    fn unprotected(&self) -> Option<String> {
        let runs = self.providers.list().iter().any(|view| view.is_process && view.serves.is_some());
        let is_open = self.health.is_open().unwrap_or(false);
        if runs { self.access.notice(&self.about.lattice, is_open) } else { None }
    }

    /// Everything.
    pub(crate) fn full(&self) -> HostInventory {
        let about = &self.about;
        let states = self.states();
        let uptime = about.uptime_seconds();
        let mut links: Vec<LinkStatus> =
            states.links.iter().map(|(key, state)| LinkStatus::new(key, state)).collect();
        links.sort_by(|a, b| (&a.source_id, &a.target, &a.name).cmp(&(&b.source_id, &b.target, &b.name)));
        HostInventory {
            host_id: about.id.clone(),
            friendly_name: about.friendly_name.clone(),
            labels: about.labels(),
            version: about.version().to_owned(),
            uptime_human: human_seconds(uptime),
            uptime_seconds: uptime,
            components: self.actors.list().iter().map(|view| describe_actor(view, &states)).collect(),
            providers: self.describe_providers(&states),
            links: Some(links),
            status: self.notices(),
            trusts: Some(self.trust.flags()),
            admins: Some(self.guard.admins()),
            signed_control: self.guard.requires_signature,
            control_refused: self.guard.refused_total(),
            xkey: Some(self.secrets.xkey()),
            calls_refused: self.refused_calls.total(),
            engine: Some(describe_engine(&self.engine)),
        }
    }

    fn describe_providers(&self, states: &States) -> Vec<ProviderDescription> {
        let describe = |view: crate::providers::ProviderView| {
            let metadata = view.claims.as_ref().and_then(|claims| claims.metadata.as_ref());
            let mut description = ProviderDescription {
                id: view.spec.id.clone(),
                image_ref: Some(view.spec.shown_image().to_owned()),
                name: view.claims.as_ref().and_then(|claims| claims.name().map(str::to_owned)),
                revision: metadata.and_then(|metadata| metadata.revision).unwrap_or(0),
                annotations: Some(view.spec.annotations.clone()),
                config: Some(view.spec.config.clone()),
                state: None,
                reason: None,
            };
            description.set_state(states.providers.get(&view.spec.id).unwrap_or(&view.state));
            description
        };
        self.providers.list().into_iter().map(describe).collect()
    }

    /// The states alone.
    pub(crate) fn states(&self) -> States {
        let (actors, providers) = (self.actors.list(), self.providers.list());
        let running = actors.iter().filter(|view| view.running.is_some());
        let survey = Survey {
            seen: Seen { host: &self.about.id, name: &self.about.friendly_name },
            actors: running.map(|view| view.spec.id.as_str()).collect(),
            providers: providers.iter().map(|view| (view.spec.id.as_str(), &view.links)).collect(),
        };
        let links = survey.of(&self.lattice.view().links, |id, link| self.directory.away(id, link));
        let shown = |view: &ActorView| match &view.running {
            Some(running) => {
                let linked = state_with_links(&view.spec.id, view.state.clone(), &running.needs, &links);
                self.with_objection(self.with_secrets(linked, view), running)
            }
            None => view.state.clone(),
        };
        States {
            actors: actors.iter().map(|view| (view.spec.id.clone(), shown(view))).collect(),
            providers: providers.iter().map(|view| (view.spec.id.clone(), view.state.clone())).collect(),
            links,
        }
    }
}

impl Inventory {
    /// The state to show for an actor that is well, and one of whose secrets was deleted, or is for other hosts alone.
    fn with_secrets(&self, state: State, view: &ActorView) -> State {
        match self.secrets.missing(&view.spec.secrets).filter(|_| state == State::Ready) {
            Some(missing) => State::Pending(missing.to_string()),
            None => state,
        }
    }

    /// The state to show for an actor that is well, and whose issuer counts no more: it serves, and is to be seen.
    fn with_objection(&self, state: State, running: &Running) -> State {
        let issuer = running.signature.claims().map(|claims| claims.issuer.as_str());
        match issuer.filter(|_| state == State::Ready).and_then(|issuer| self.trust.objection(issuer)) {
            Some(why) => State::Degraded(why),
            None => state,
        }
    }
}

fn describe_actor(view: &ActorView, states: &States) -> ComponentDescription {
    let spec = &view.spec;
    let claims = view.running.as_ref().and_then(|running| running.signature.claims());
    let stats = view.running.as_ref().map(|running| running.actor.stats());
    let mut description = ComponentDescription {
        id: spec.id.clone(),
        image_ref: spec.image_text.clone(),
        name: claims.and_then(|claims| claims.name().map(str::to_owned)),
        annotations: spec.annotations.clone(),
        revision: claims.and_then(|c| c.metadata.as_ref()?.revision).unwrap_or(0),
        // An actor that does not run has no instances, so that tools that count them see that one is missing.
        max_instances: if view.running.is_some() { spec.concurrency } else { 0 },
        limits: limits(&spec.limits),
        state: None,
        reason: None,
        digest: view.running.as_ref().map(|running| running.digest.clone()),
        signed: view.running.as_ref().map(|running| running.signature.claims().is_some()),
        issuer: claims.map(|claims| claims.issuer.clone()),
        reuse: Some(spec.reuse),
        max_queued: spec.queue,
        config: Some(spec.config.clone()),
        secrets: Some(spec.secrets.clone()),
        in_flight: stats.as_ref().map(|stats| stats.in_flight),
        waiting: stats.as_ref().map(|stats| u64::from(stats.waiting)),
    };
    description.set_state(states.actors.get(&spec.id).unwrap_or(&view.state));
    description
}

fn describe_engine(report: &RuntimeReport) -> Map<String, Value> {
    let described = json!({
        "pool": report.pool.strategy.to_string(),
        "pool_reason": report.pool.why,
        "memory_budget_bytes": report.host_memory_bytes,
        "wasip3": report.wasip3,
        "code_cache": report.code_cache,
    });
    match described {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn limits(limits: &Limits) -> Option<BTreeMap<String, String>> {
    let mut shown = BTreeMap::new();
    if let Some(bytes) = limits.memory_bytes {
        shown.insert(LIMIT_MEMORY_BYTES.to_owned(), bytes.to_string());
    }
    if let Some(ms) = limits.wall_ms {
        shown.insert(LIMIT_EXECUTION_TIME_S.to_owned(), ms.div_ceil(1000).to_string());
    }
    if let Some(ms) = limits.cpu_ms {
        shown.insert(LIMIT_CPU_TIME_MS.to_owned(), ms.to_string());
    }
    (!shown.is_empty()).then_some(shown)
}
