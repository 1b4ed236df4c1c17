//! A provider on a server of the test's own, and a record of what it reports.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lattice_contracts::{
    CallContext, Callee, InvocationIds, Provider, ProviderContext, ProviderLink, Refused, Report,
    keyvalue::Keyvalue,
};
use lattice_core::{ActorId, Contract, EntityId, LatticeName, LinkKey, LinkName, ProviderId, State};
use lattice_nats::{ConnectOptions, Connection};
use lattice_provider_keyvalue_nats::KeyvalueNats;
use lattice_testkit::NatsServer;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Long enough for a slow machine; nothing waits for it to pass.
pub(crate) const SOON: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(crate) struct States {
    pub(crate) whole: Option<State>,
    pub(crate) links: BTreeMap<LinkKey, State>,
    pub(crate) refused: Vec<Refused>,
}

#[derive(Clone)]
pub(crate) struct Recorder(pub(crate) watch::Sender<States>);

impl Report for Recorder {
    fn provider(&self, state: State) {
        self.0.send_modify(|states| states.whole = Some(state));
    }
    fn link(&self, link: &LinkKey, state: State) {
        self.0.send_modify(|states| drop(states.links.insert(link.clone(), state)));
    }
    fn refused(&self, refused: Refused) {
        self.0.send_modify(|states| states.refused.push(refused));
    }
}

pub(crate) struct Rig {
    pub(crate) provider: Arc<KeyvalueNats>,
    pub(crate) store: Arc<dyn Keyvalue>,
    pub(crate) conn: Connection,
    pub(crate) recorder: Recorder,
    pub(crate) tasks: TaskTracker,
    ids: InvocationIds,
}

impl Rig {
    pub(crate) async fn on(server: &NatsServer) -> Self {
        let conn = Connection::connect(ConnectOptions::to(&server.url()), SOON).await.unwrap();
        let (recorder, tasks) = (Recorder(watch::Sender::default()), TaskTracker::new());
        let ctx = ProviderContext {
            id: ProviderId::new("store").unwrap(),
            config: BTreeMap::new(),
            report: Arc::new(recorder.clone()),
            ids: Arc::new(InvocationIds::new(1)),
            tasks: tasks.clone(),
            cancel: CancellationToken::new(),
        };
        let provider = KeyvalueNats::new(ctx, conn.clone(), LatticeName::default()).unwrap();
        let store = provider.keyvalue().unwrap();
        Self { provider, store, conn, recorder, tasks, ids: InvocationIds::new(2) }
    }

    /// A rig whose actor `a` is linked as `config` says, and ready.
    pub(crate) async fn ready(server: &NatsServer, config: &[(&str, &str)]) -> Self {
        let rig = Self::on(server).await;
        assert_eq!(rig.link("a", config).await, State::Ready);
        rig
    }

    pub(crate) async fn link(&self, actor: &str, config: &[(&str, &str)]) -> State {
        let link = ProviderLink {
            key: key(actor),
            actor: ActorId::new(actor).unwrap(),
            interfaces: vec![],
            config: config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            secrets: BTreeMap::new(),
            callee: Callee::None,
        };
        self.provider.put_link(link).await;
        self.recorder.0.borrow().links[&key(actor)].clone()
    }

    /// Waits until a link is in a state as wanted.
    pub(crate) async fn until(&self, actor: &str, wanted: impl Fn(&State) -> bool) {
        let mut states = self.recorder.0.subscribe();
        let seen = states.wait_for(|states| states.links.get(&key(actor)).is_some_and(&wanted));
        timeout(SOON, seen).await.expect("the state was not reported").unwrap();
    }

    pub(crate) fn call(&self) -> CallContext {
        self.call_of("a", SOON)
    }

    pub(crate) fn call_of(&self, actor: &str, within: Duration) -> CallContext {
        CallContext {
            id: self.ids.next(),
            source: EntityId::new(actor).unwrap(),
            target: EntityId::new("store").unwrap(),
            link: LinkName::default(),
            deadline: Instant::now() + within,
            depth: 1,
            trace: None,
        }
    }
}

pub(crate) fn key(actor: &str) -> LinkKey {
    LinkKey {
        source: EntityId::new(actor).unwrap(),
        target: EntityId::new("store").unwrap(),
        contract: Contract::keyvalue(),
        name: LinkName::default(),
    }
}
