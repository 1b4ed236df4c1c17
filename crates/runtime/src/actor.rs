//! A running actor: code, limits, permits and instances, serving HTTP requests.

use std::{num::NonZeroU32, sync::Arc};

use async_trait::async_trait;
use lattice_contracts::{
    CallContext,
    http::{Incoming, Request, Response},
};
use lattice_core::{ActorId, CallError, ErrorCode, Hop};
use tokio::{sync::oneshot, time::Instant};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};
use wasmtime::component::InstancePre;

use crate::{
    call::Running,
    component::Interface,
    engine::{EngineKind, LinkedEngine},
    error::StartError,
    exported::Exported,
    failure::Failure,
    guest::{Guest, GuestKit},
    handler::Handler,
    imports::{incoming_body, linked},
    permits::{NoPermit, Permit, Permits},
    pool::Pool,
    prepare::Prepared,
    stats::{ActorStats, Counters, Outcome},
};

/// How long guests that were told to end may take to do so: they only have to be dropped.
const KILL_GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// A running actor. It holds no thread and no task while nobody calls it.
pub struct Actor {
    pub(crate) inner: Arc<Inner>,
}

/// What calls share.
pub(crate) struct Inner {
    pub(crate) kit: Arc<GuestKit>,
    pub(crate) engine: Arc<LinkedEngine>,
    /// `None` where the actor answers no HTTP requests.
    handler: Option<Handler>,
    /// The code with its imports linked.
    pub(crate) linked: InstancePre<Guest>,
    /// The functions that others may call.
    pub(crate) exported: Exported,
    pub(crate) permits: Permits,
    pub(crate) pool: Arc<Pool>,
    pub(crate) counters: Counters,
    /// Every call holds a token of it, and guests with their head out are its tasks.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when calls shall be broken off.
    pub(crate) kill: CancellationToken,
}

impl Inner {
    pub(crate) fn id(&self) -> &ActorId {
        &self.kit.spec.id
    }

    pub(crate) fn handler(&self) -> wasmtime::Result<&Handler> {
        self.handler.as_ref().ok_or_else(|| wasmtime::Error::msg("the actor exports no HTTP handler"))
    }
}

impl Actor {
    /// Links the code, once for all calls.
    pub(crate) fn start(prepared: &Prepared, kit: GuestKit) -> Result<Self, StartError> {
        let engine = prepared.engine().clone();
        if engine.kind == EngineKind::Wasip3 && kit.spec.reuse > NonZeroU32::MIN {
            return Err(StartError::Reuse { actor: kit.spec.id });
        }
        let linked = link(prepared, &kit)?;
        let handler = prepared.outside().serves_http().then(|| Handler::new(engine.kind, &linked));
        let handler = handler
            .transpose()
            .map_err(|error| StartError::Link { actor: kit.spec.id.clone(), reason: format!("{error:#}") })?;
        let exported = Exported::new(&kit.spec.id, prepared.component());
        let permits = Permits::new(kit.spec.concurrency, kit.spec.queue);
        let pool = Pool::new(kit.spec.reuse, &kit.house);
        let inner = Inner {
            kit: Arc::new(kit),
            engine,
            handler,
            linked,
            exported,
            permits,
            pool,
            counters: Counters::default(),
            tasks: TaskTracker::new(),
            kill: CancellationToken::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &ActorId {
        self.inner.id()
    }

    /// True if it answers HTTP requests.
    #[must_use]
    pub fn exports_http(&self) -> bool {
        self.inner.handler.is_some()
    }

    /// Counts and present load.
    #[must_use]
    pub fn stats(&self) -> ActorStats {
        self.inner.counters.read(self.inner.permits.size(), self.inner.permits.waiting())
    }

    /// Changes how many calls it serves at once, and how many more may wait. Calls being served or waiting go on.
    pub fn resize(&self, concurrency: NonZeroU32, queue: u32) {
        self.inner.permits.resize_queue(queue);
        self.inner.permits.resize(concurrency);
        self.inner.pool.trim(concurrency.get());
    }

    /// Takes a permit if there is one and nobody waits for it; returns at once.
    #[must_use]
    pub fn try_enter(&self) -> Option<Ticket> {
        let token = self.inner.tasks.token();
        let permit = self.inner.permits.try_acquire()?;
        Some(Ticket { inner: self.inner.clone(), permit, token })
    }

    /// True if a call would have to wait for a permit now, or be refused.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.inner.permits.is_full()
    }

    /// Waits for a permit, before anything of the request is used up. A call that is refused as
    /// [`NotEntered::Retired`] can be made again elsewhere, with the same request.
    ///
    /// # Errors
    /// [`NotEntered`]: the call has not been run.
    ///
    /// # Cancellation
    /// Dropping the future gives up the place in the queue.
    pub async fn enter(&self, call: &CallContext) -> Result<Ticket, NotEntered> {
        // Taken before the permit, so that retiring and draining wait for every call that may still get one.
        let token = self.inner.tasks.token();
        match self.inner.permits.acquire(call.deadline).await {
            Ok(permit) => Ok(Ticket { inner: self.inner.clone(), permit, token }),
            Err(NoPermit::Closed) => Err(NotEntered::Retired(self.refuse(NoPermit::Closed, call))),
            Err(why) => Err(NotEntered::Refused(self.refuse(why, call))),
        }
    }

    /// Takes no more calls, lets those being served end until `deadline`, and breaks off the rest. Calls that wait for a
    /// permit are refused as unreachable. Returns when nothing of the actor runs any more; true if nothing was broken
    /// off.
    pub async fn drain(&self, deadline: Instant) -> bool {
        self.inner.permits.close();
        self.end(deadline).await
    }

    /// Takes no new calls, since a successor does, but serves those that have come, waiting ones too, until `deadline`;
    /// then breaks off the rest. Returns when nothing of the actor runs any more; true if nothing was broken off.
    /// [`Actor::drain`] may be called meanwhile, to end sooner.
    pub async fn retire(&self, deadline: Instant) -> bool {
        self.inner.permits.retire();
        self.end(deadline).await
    }

    async fn end(&self, deadline: Instant) -> bool {
        let inner = &self.inner;
        inner.tasks.close();
        let clean = tokio::time::timeout_at(deadline, inner.tasks.wait()).await.is_ok();
        if !clean {
            inner.permits.close();
            inner.kill.cancel();
            if tokio::time::timeout(KILL_GRACE, inner.tasks.wait()).await.is_err() {
                tracing::error!(actor = %inner.id(), "calls are still running after they were broken off");
            }
        }
        inner.pool.trim(0);
        clean
    }

    fn refuse(&self, why: NoPermit, call: &CallContext) -> CallError {
        let inner = &self.inner;
        let (outcome, code, reason) = match why {
            NoPermit::Full => {
                let (size, queue) = (inner.permits.size(), inner.permits.queue());
                let reason = format!("all {size} permits are taken and {queue} calls wait; try again later");
                (Outcome::Overloaded, ErrorCode::Overloaded, reason)
            }
            NoPermit::Deadline => {
                let reason = format!("invocation {} was still waiting for a permit at its deadline", call.id);
                (Outcome::Deadline, ErrorCode::Deadline, reason)
            }
            NoPermit::Closed => {
                (Outcome::Failed, ErrorCode::Unreachable, "the actor is being stopped".to_owned())
            }
        };
        inner.counters.count(outcome);
        Failure::new(inner.id(), outcome, code, reason).error.not_run()
    }
}

#[async_trait]
impl Incoming for Actor {
    async fn handle(&self, call: CallContext, request: Request) -> Result<Response, CallError> {
        self.enter(&call).await.map_err(NotEntered::into_error)?.handle(call, request).await
    }
}

/// Why a call did not get into an actor. Nothing of it was run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotEntered {
    /// The actor takes no calls any more. Its successor, if there is one, may take this one.
    #[error(transparent)]
    Retired(CallError),
    /// The actor is too busy, or the call's time ran out while it waited.
    #[error(transparent)]
    Refused(CallError),
}

impl NotEntered {
    /// What the caller is told if nobody else takes the call.
    #[must_use]
    pub fn into_error(self) -> CallError {
        match self {
            Self::Retired(error) | Self::Refused(error) => error,
        }
    }
}

/// The right to one call of an actor: a permit, which goes back when this is dropped or the call ends.
#[must_use = "it holds one of the actor's permits"]
pub struct Ticket {
    pub(crate) inner: Arc<Inner>,
    pub(crate) permit: Permit,
    pub(crate) token: TaskTrackerToken,
}

impl Ticket {
    /// Lets the actor serve `request`.
    ///
    /// # Errors
    /// As [`Incoming::handle`].
    ///
    /// # Cancellation
    /// Dropping the future ends the guest, until its response's head is there.
    pub async fn handle(self, call: CallContext, request: Request) -> Result<Response, CallError> {
        let Self { inner, permit, token } = self;
        let misfit =
            |reason| Err(CallError::new(Hop::Actor(inner.id().clone()), ErrorCode::Protocol, reason));
        if inner.handler.is_none() {
            return misfit("the actor exports no wasi:http/incoming-handler, so it answers no HTTP requests");
        }
        if !names_a_host(&request) {
            return misfit(
                "the request names no host: it has neither an absolute URI nor a well-formed host header",
            );
        }
        let method = request.method().clone();
        let (sender, head) = oneshot::channel();
        let running = Running::new(inner, permit, token, call, request.map(incoming_body), sender);
        running.answer(&method, head).await.map_err(|failure| failure.error)
    }
}

fn names_a_host(request: &Request) -> bool {
    request.uri().authority().is_some()
        || request.headers().get(http::header::HOST).is_some_and(|host| host.to_str().is_ok())
}

/// The code with its imports linked: those that only a link can give to whoever is linked at the time of a call.
fn link(prepared: &Prepared, kit: &GuestKit) -> Result<InstancePre<Guest>, StartError> {
    let (actor, foreign) = (&kit.spec.id, prepared.foreign());
    if !foreign.unservable.is_empty() {
        return Err(StartError::UnknownImport { actor: actor.clone(), names: foreign.unservable.clone() });
    }
    let interfaces = foreign.linkable.iter().map(|import| &import.interface);
    let missing: Vec<Interface> =
        interfaces.filter(|interface| !kit.dispatch.is_linked(interface)).cloned().collect();
    if !missing.is_empty() {
        return Err(StartError::NotLinked { actor: actor.clone(), imports: missing });
    }
    let common = &prepared.engine().linker;
    let own = || {
        let mut linker = common.clone();
        for linkable in &foreign.linkable {
            linked::add_to_linker(&mut linker, actor, linkable)?;
        }
        linker.instantiate_pre(prepared.component())
    };
    // Most actors import nothing of their own, and share the engine's linker.
    let linked =
        if foreign.linkable.is_empty() { common.instantiate_pre(prepared.component()) } else { own() };
    linked.map_err(|error| StartError::Link { actor: actor.clone(), reason: format!("{error:#}") })
}
