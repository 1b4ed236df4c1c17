//! The provider: a client for each link, found by who calls under which link.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use lattice_contracts::{
    CallContext, Provider, ProviderContext, ProviderLink, Serves,
    config::{ConfigError, check_keys},
    http::{Outgoing, OutgoingError, OutgoingLimits, Request, Response},
    state_of_all,
};
use lattice_core::{CallError, Contract, Direction, EntityId, ErrorCode, Hop, LinkKey, LinkName, State};
use tokio::time::Instant;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    client::{Tracked, build},
    config::LinkConfig,
    resolve::{Resolve, System},
    send::Sender,
};

const INTERFACE: &str = "outgoing-handler";
const SERVES: &[Serves] =
    &[Serves { namespace: "wasi", package: "http", interface: INTERFACE, direction: Direction::ToProvider }];

/// The HTTP client provider. Dropping it closes its connections.
pub struct HttpClient {
    inner: Arc<Inner>,
    _life: DropGuard,
}

struct Inner {
    ctx: ProviderContext,
    resolver: Arc<dyn Resolve>,
    life: CancellationToken,
    /// Requests and bodies under way.
    under_way: TaskTracker,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    senders: HashMap<(EntityId, LinkName), Arc<Sender>>,
    states: BTreeMap<LinkKey, State>,
    told: Option<State>,
    stopping: bool,
}

impl HttpClient {
    /// Makes the provider, with the resolver of the system.
    ///
    /// # Errors
    /// [`ConfigError`] for any configuration of the provider's own: all of it belongs to links.
    pub fn new(ctx: ProviderContext) -> Result<Arc<Self>, ConfigError> {
        Self::with_resolver(ctx, Arc::new(System))
    }

    /// Makes the provider with another resolver. What it answers is judged all the same.
    ///
    /// # Errors
    /// As [`HttpClient::new`].
    pub fn with_resolver(ctx: ProviderContext, resolver: Arc<dyn Resolve>) -> Result<Arc<Self>, ConfigError> {
        check_keys(&ctx.config, &[])?;
        let life = ctx.cancel.child_token();
        let (under_way, table) = (TaskTracker::new(), Mutex::default());
        let inner = Inner { ctx, resolver, life: life.clone(), under_way, table };
        inner.tell(&mut inner.lock());
        Ok(Arc::new(Self { inner: Arc::new(inner), _life: life.drop_guard() }))
    }
}

#[async_trait]
impl Provider for HttpClient {
    fn serves(&self) -> Cow<'static, [Serves]> {
        Cow::Borrowed(SERVES)
    }

    async fn put_link(&self, link: ProviderLink) {
        let place = (link.key.source.clone(), link.key.name.clone());
        let made = self.inner.sender(&link).await;
        let mut table = self.inner.lock();
        let state = match made {
            Ok(sender) => {
                table.senders.insert(place, Arc::new(sender));
                State::Ready
            }
            Err(why) => {
                table.senders.remove(&place);
                State::Failed(why)
            }
        };
        self.inner.ctx.report.link(&link.key, state.clone());
        table.states.insert(link.key, state);
        self.inner.tell(&mut table);
    }

    async fn delete_link(&self, link: &LinkKey) {
        let mut table = self.inner.lock();
        table.senders.remove(&(link.source.clone(), link.name.clone()));
        table.states.remove(link);
        self.inner.tell(&mut table);
    }

    async fn stop(&self, deadline: Instant) {
        {
            let mut table = self.inner.lock();
            table.stopping = true;
            table.senders.clear();
            self.inner.tell(&mut table);
        }
        self.inner.under_way.close();
        let ended = tokio::time::timeout_at(deadline, self.inner.under_way.wait()).await;
        tracing::debug!(in_time = ended.is_ok(), "outgoing requests have ended");
        self.inner.life.cancel();
    }

    fn http_outgoing(&self) -> Option<Arc<dyn Outgoing>> {
        Some(self.inner.clone())
    }
}

#[async_trait]
impl Outgoing for Inner {
    async fn request(
        &self,
        call: CallContext,
        request: Request,
        limits: OutgoingLimits,
    ) -> Result<Response, OutgoingError> {
        // Counted before the look-up, so that nothing slips through between it and the end.
        let counted = self.under_way.token();
        let sender = self.find(&call)?;
        tokio::select! {
            response = sender.send(call, request, limits, counted) => response,
            () = self.life.cancelled() => Err(self.refused(ErrorCode::Unreachable, "the provider stopped").into()),
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hop(&self) -> Hop {
        Hop::Provider(self.ctx.id.clone())
    }

    fn refused(&self, code: ErrorCode, reason: impl Into<String>) -> CallError {
        CallError::new(self.hop(), code, reason)
    }

    fn find(&self, call: &CallContext) -> Result<Arc<Sender>, CallError> {
        let table = self.lock();
        if table.stopping {
            return Err(self.refused(ErrorCode::Unreachable, "the provider is stopping").not_run());
        }
        let place = (call.source.clone(), call.link.clone());
        table.senders.get(&place).cloned().ok_or_else(|| {
            let (id, source) = (&self.ctx.id, &call.source);
            let failed = table.states.iter().find(|(key, _)| key.source == *source && key.name == call.link);
            let reason = match failed {
                Some((_, state)) => format!("the link of {source} to {id} is {state}"),
                None => format!(
                    "{source} has no link to {id}; make it: wash ctl link put {source} {id} wasi:http"
                ),
            };
            self.refused(ErrorCode::NoLink, reason)
        })
    }

    /// What serves a link, or why it cannot be served.
    async fn sender(&self, link: &ProviderLink) -> Result<Sender, String> {
        if link.key.contract != Contract::http() {
            return Err(format!(
                "this provider serves wasi:http alone, and the link carries {}",
                link.key.contract
            ));
        }
        if link.key.target != EntityId::from(self.ctx.id.clone()) {
            return Err(format!(
                "actors call an HTTP client: put the link with {} as its target",
                self.ctx.id
            ));
        }
        if !(link.interfaces.is_empty() || link.interfaces.iter().any(|name| name == INTERFACE)) {
            return Err(format!("the link does not grant {INTERFACE}; name it, or no interface at all"));
        }
        let config = LinkConfig::read(&link.config).map_err(|error| error.to_string())?;
        let tracked = Tracked { tasks: self.ctx.tasks.clone(), life: self.life.clone() };
        let client = build(&config, self.resolver.clone(), tracked).await?;
        Ok(Sender { config, client, hop: self.hop() })
    }

    fn tell(&self, table: &mut Table) {
        let state = match table.stopping {
            true => State::Stopping,
            false => state_of_all(table.states.values()),
        };
        if table.told.as_ref() != Some(&state) {
            self.ctx.report.provider(state.clone());
            table.told = Some(state);
        }
    }
}
