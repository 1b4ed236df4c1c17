//! A provider, a record of what it reports, actors made of closures, and a client that writes bytes.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use lattice_contracts::{
    CallContext, Callee, InvocationIds, Provider, ProviderContext, ProviderLink, Refused, Report,
    http::{Incoming, Request, Response, full},
};
use lattice_core::{ActorId, CallError, Contract, EntityId, LinkKey, LinkName, ProviderId, State};
use lattice_provider_http_server::HttpServer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Long enough for a slow machine; nothing waits for it to pass.
pub(crate) const SOON: Duration = Duration::from_secs(20);

type Answering = Pin<Box<dyn Future<Output = Result<Response, CallError>> + Send>>;

pub(crate) struct Actor<F>(pub(crate) F);

#[async_trait]
impl<F> Incoming for Actor<F>
where
    F: Fn(CallContext, Request) -> Answering + Send + Sync,
{
    async fn handle(&self, call: CallContext, request: Request) -> Result<Response, CallError> {
        (self.0)(call, request).await
    }
}

/// An actor that answers each request with what `answer` makes of it.
pub(crate) fn actor<F, A>(answer: F) -> Arc<dyn Incoming>
where
    F: Fn(CallContext, Request) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Response, CallError>> + Send + 'static,
{
    Arc::new(Actor(move |call, request| -> Answering { Box::pin(answer(call, request)) }))
}

/// An actor that says its name, and the path as it saw it.
pub(crate) fn says(name: &'static str) -> Arc<dyn Incoming> {
    actor(move |_, request| async move {
        let text = format!("{name} {}", request.uri().path_and_query().unwrap());
        Ok(Response::new(full(text)))
    })
}

/// An actor that sends back the body it gets, as it comes.
pub(crate) fn echo() -> Arc<dyn Incoming> {
    actor(|_, request| async move { Ok(Response::new(request.into_body())) })
}

#[derive(Default)]
pub(crate) struct States {
    pub(crate) whole: Option<State>,
    pub(crate) links: BTreeMap<LinkKey, State>,
    pub(crate) refused: Vec<Refused>,
}

#[derive(Clone)]
pub(crate) struct Recorder(watch::Sender<States>);

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
    pub(crate) server: Arc<HttpServer>,
    pub(crate) tasks: TaskTracker,
    recorder: Recorder,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(config: &[(&str, &str)]) -> Self {
        let recorder = Recorder(watch::Sender::new(States::default()));
        let tasks = TaskTracker::new();
        let ctx = ProviderContext {
            id: ProviderId::new("http").unwrap(),
            config: pairs(config),
            report: Arc::new(recorder.clone()),
            ids: Arc::new(InvocationIds::new(9)),
            tasks: tasks.clone(),
            cancel: CancellationToken::new(),
        };
        Self { server: HttpServer::new(ctx).unwrap(), tasks, recorder }
    }

    /// Links `name` and gives back the state that was reported first.
    pub(crate) async fn link(&self, name: &str, config: &[(&str, &str)], callee: Arc<dyn Incoming>) -> State {
        let link = ProviderLink {
            key: key(name),
            actor: ActorId::new(name).unwrap(),
            interfaces: vec![],
            config: pairs(config),
            secrets: BTreeMap::new(),
            callee: Callee::Http(callee),
        };
        self.server.put_link(link).await;
        self.state(name)
    }

    /// As [`Rig::link`] on a port of the system's choosing; gives back the address.
    pub(crate) async fn open(
        &self,
        name: &str,
        config: &[(&str, &str)],
        callee: Arc<dyn Incoming>,
    ) -> SocketAddr {
        let config = [&[("address", "127.0.0.1:0")], config].concat();
        assert_eq!(self.link(name, &config, callee).await, State::Ready);
        self.server.local_address(&key(name)).unwrap()
    }

    pub(crate) fn state(&self, name: &str) -> State {
        self.recorder.0.borrow().links[&key(name)].clone()
    }

    pub(crate) fn whole(&self) -> State {
        self.recorder.0.borrow().whole.clone().unwrap()
    }

    /// Waits until so many refusals were told of, and gives them.
    pub(crate) async fn refused(&self, many: usize) -> Vec<Refused> {
        let mut states = self.recorder.0.subscribe();
        let told = states.wait_for(|states| states.refused.len() >= many);
        timeout(SOON, told).await.expect("not every refusal was told of").unwrap().refused.clone()
    }

    /// Waits until a link is in a state as wanted.
    pub(crate) async fn until(&self, name: &str, wanted: impl Fn(&State) -> bool) {
        let mut states = self.recorder.0.subscribe();
        let seen = states.wait_for(|states| states.links.get(&key(name)).is_some_and(&wanted));
        timeout(SOON, seen).await.expect("the state was not reported").unwrap();
    }
}

pub(crate) fn key(name: &str) -> LinkKey {
    LinkKey {
        source: EntityId::new("http").unwrap(),
        target: EntityId::new(name).unwrap(),
        contract: Contract::http(),
        name: LinkName::default(),
    }
}

fn pairs(config: &[(&str, &str)]) -> BTreeMap<String, String> {
    config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Sends bytes as they are and reads until the server closes.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    rest(&mut stream).await
}

/// Reads until the server closes.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = timeout(SOON, stream.read_to_end(&mut text)).await.expect("the connection was not closed");
    // A server that refuses a body half way may reset the connection after its answer.
    if let Err(error) = read {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    String::from_utf8(text).unwrap()
}

/// Something that happens once, and can be waited for.
#[derive(Clone, Default)]
pub(crate) struct Once(CancellationToken);

impl Once {
    pub(crate) fn happens(&self) {
        self.0.cancel();
    }
    pub(crate) async fn wait(&self) {
        timeout(SOON, self.0.cancelled()).await.expect("it did not happen");
    }
    /// Happens when what is given back is dropped.
    pub(crate) fn on_drop(&self) -> impl Drop + Send + use<> {
        self.0.clone().drop_guard()
    }
}

/// A value that a closure hands to the test.
pub(crate) type Slot<T> = Arc<Mutex<Option<T>>>;
