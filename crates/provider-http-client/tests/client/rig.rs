//! A provider with a resolver the test answers for, and servers on loopback.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use lattice_contracts::{
    CallContext, Callee, InvocationIds, Provider, ProviderContext, ProviderLink, Refused, Report,
    http::{Body, Outgoing, OutgoingError, OutgoingLimits, Request, Response, empty},
};
use lattice_core::{ActorId, Contract, EntityId, LinkKey, LinkName, ProviderId, Secret, State};
use lattice_provider_http_client::{HttpClient, Resolve};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinSet,
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Answers from a table; counts the questions.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) table: BTreeMap<&'static str, Vec<&'static str>>,
    pub(crate) asked: AtomicUsize,
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let found = self
            .table
            .get(name.to_ascii_lowercase().as_str())
            .ok_or_else(|| io::Error::other("no such name"))?;
        Ok(found.iter().map(|text| text.parse().unwrap()).collect())
    }
}

#[derive(Default)]
pub(crate) struct States {
    pub(crate) links: Mutex<BTreeMap<LinkKey, State>>,
    pub(crate) whole: Mutex<Option<State>>,
    pub(crate) refused: Mutex<Vec<Refused>>,
}

impl Report for States {
    fn provider(&self, state: State) {
        *self.whole.lock().unwrap() = Some(state);
    }
    fn link(&self, link: &LinkKey, state: State) {
        self.links.lock().unwrap().insert(link.clone(), state);
    }
    fn refused(&self, refused: Refused) {
        self.refused.lock().unwrap().push(refused);
    }
}

pub(crate) struct Rig {
    pub(crate) provider: Arc<HttpClient>,
    pub(crate) states: Arc<States>,
    pub(crate) names: Arc<Names>,
    pub(crate) tasks: TaskTracker,
    ids: Arc<InvocationIds>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let table = BTreeMap::from([
            ("local.test", vec!["127.0.0.1"]),
            ("sneaky.test", vec!["::ffff:127.0.0.1", "10.0.0.1", "fd00::1"]),
            ("localhost", vec!["127.0.0.1"]),
        ]);
        let names = Arc::new(Names { table, asked: AtomicUsize::new(0) });
        let (states, ids) = (Arc::new(States::default()), Arc::new(InvocationIds::new(4)));
        let tasks = TaskTracker::new();
        let ctx = ProviderContext {
            id: ProviderId::new("client").unwrap(),
            config: BTreeMap::new(),
            report: states.clone(),
            ids: ids.clone(),
            tasks: tasks.clone(),
            cancel: CancellationToken::new(),
        };
        let provider = HttpClient::with_resolver(ctx, names.clone()).unwrap();
        Self { provider, states, names, tasks, ids }
    }

    pub(crate) async fn link(&self, actor: &str, config: &[(&str, &str)]) -> State {
        self.link_with(actor, config, &[]).await
    }

    /// As [`Rig::link`], with secrets.
    pub(crate) async fn link_with(
        &self,
        actor: &str,
        config: &[(&str, &str)],
        secrets: &[(&str, &str)],
    ) -> State {
        let secret = |text: &str| Secret::text(text.to_owned()).unwrap();
        let secrets = secrets.iter().map(|(name, text)| (name.parse().unwrap(), secret(text))).collect();
        let key = LinkKey {
            source: EntityId::new(actor).unwrap(),
            target: EntityId::new("client").unwrap(),
            contract: Contract::http(),
            name: LinkName::default(),
        };
        let link = ProviderLink {
            key: key.clone(),
            actor: ActorId::new(actor).unwrap(),
            interfaces: vec![],
            config: config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            secrets,
            callee: Callee::None,
        };
        self.provider.put_link(link).await;
        self.states.links.lock().unwrap()[&key].clone()
    }

    /// A rig with one link, of actor `a`, that may call loopback.
    pub(crate) async fn open(config: &[(&str, &str)]) -> Self {
        let rig = Self::new();
        let config = [&[("allow_private", "true")], config].concat();
        assert_eq!(rig.link("a", &config).await, State::Ready);
        rig
    }

    pub(crate) fn call(&self, actor: &str, within: Duration) -> CallContext {
        CallContext {
            id: self.ids.next(),
            source: EntityId::new(actor).unwrap(),
            target: EntityId::new("client").unwrap(),
            link: LinkName::default(),
            deadline: Instant::now() + within,
            depth: 1,
            trace: None,
        }
    }

    pub(crate) fn outgoing(&self) -> Arc<dyn Outgoing> {
        self.provider.http_outgoing().unwrap()
    }

    pub(crate) async fn send(&self, request: Request) -> Result<Response, OutgoingError> {
        let call = self.call("a", Duration::from_secs(20));
        self.outgoing().request(call, request, OutgoingLimits::default()).await
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Response, OutgoingError> {
        self.send(get(url)).await
    }
}

pub(crate) fn get(url: &str) -> Request {
    http::Request::get(url).body(empty()).unwrap()
}

pub(crate) async fn text(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

pub(crate) type Answering = Pin<Box<dyn Future<Output = http::Response<Body>> + Send>>;

/// A server on loopback that lives as long as this does.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(http::Request<Incoming>) -> A + Send + Sync + 'static,
        A: Future<Output = http::Response<Body>> + Send + 'static,
    {
        Self::start_with(answer, |stream| async move { Ok(stream) }).await
    }

    /// `wrap` makes of an accepted connection what HTTP is spoken over.
    pub(crate) async fn start_with<F, A, W, S, V>(answer: F, wrap: W) -> Self
    where
        F: Fn(http::Request<Incoming>) -> A + Send + Sync + 'static,
        A: Future<Output = http::Response<Body>> + Send + 'static,
        W: Fn(tokio::net::TcpStream) -> V + Send + 'static,
        V: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let answer: Arc<dyn Fn(http::Request<Incoming>) -> Answering + Send + Sync> =
            Arc::new(move |request| Box::pin(answer(request)));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                let (answer, wrapped) = (answer.clone(), wrap(stream));
                open.spawn(async move {
                    let Ok(stream) = wrapped.await else { return };
                    let service = service_fn(move |request| {
                        let answering = answer(request);
                        async move { Ok::<_, Infallible>(answering.await) }
                    });
                    let builder = Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, connections, _task: task }
    }

    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }
}
