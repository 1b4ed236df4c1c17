//! Calls from other hosts and from callers that know no hosts: found, checked, admitted, carried out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use lattice_contracts::{http::Outgoing, keyvalue::Keyvalue};
use lattice_core::{CallError, ErrorCode, Hop};
use lattice_nats::{
    Outbound, Received, Serve,
    remote::{
        Function,
        http::{incoming, outgoing},
        keyvalue, values,
    },
};
use lattice_runtime::{Actor, NotEntered, Ticket, Values};

use super::{
    RefusedCalls, Remote,
    check::check,
    full::{Came, WhenFull, when_full},
};
use crate::{
    about::About, actors::Actors, directory::Directory, lattice::Lattice, providers::Providers,
    signal::Changed,
};

/// Whether this host still takes calls from outside. It is closed once, when the host begins to stop; calls that came in go
/// on.
#[derive(Clone, Default)]
pub(crate) struct Door(Arc<AtomicBool>);

impl Door {
    pub(crate) fn close(&self, changed: &Changed) {
        self.0.store(true, Ordering::Release);
        changed.tell();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Carries out what others call on this host.
pub(crate) struct Server {
    pub(crate) about: Arc<About>,
    pub(crate) actors: Actors,
    pub(crate) providers: Providers,
    pub(crate) lattice: Lattice,
    pub(crate) directory: Directory,
    pub(crate) remote: Remote,
    pub(crate) door: Door,
    pub(crate) refused: Arc<RefusedCalls>,
}

/// What a call asks for, and of whom.
enum Target {
    Http(Arc<Actor>),
    Function(Arc<Actor>),
    Keyvalue(Arc<dyn Keyvalue>),
    Outgoing(Arc<dyn Outgoing>),
}

#[async_trait]
impl Serve for Server {
    async fn serve(&self, request: Box<Received>) -> Result<Outbound, CallError> {
        if self.door.is_closed() {
            return Err(self.gone("the host is stopping".to_owned()));
        }
        let target = self.find(&request)?;
        // Checked before a permit is asked for, so that calls without a right occupy nothing.
        check(&self.lattice, &request.call, &request.interface, request.link_version.as_ref())
            .await
            .map_err(|why| {
                self.refused.note(&request.call, &request.interface, &why);
                self.fail(why.code, why.reason).not_run()
            })?;
        // Each way in a box of its own size: the usual call's is a small part of the largest.
        match target {
            Target::Http(actor) => match self.admit(&actor, request).await? {
                Admitted::Enter(ticket, request) => Box::pin(serve_http(ticket, request)).await,
                Admitted::HandedOn(outcome) => outcome,
            },
            Target::Function(actor) => match self.admit(&actor, request).await? {
                Admitted::Enter(ticket, request) => Box::pin(serve_function(ticket, request)).await,
                Admitted::HandedOn(outcome) => outcome,
            },
            Target::Keyvalue(provider) => {
                let Received { call, interface, function, body, .. } = *request;
                let function = Function { interface: &interface, function: &function };
                Box::pin(keyvalue::serve(&*provider, &call, function, body)).await
            }
            Target::Outgoing(provider) => Box::pin(serve_outgoing(&*provider, request)).await,
        }
    }
}

/// What became of a call that asked for a permit.
enum Admitted {
    Enter(Ticket, Box<Received>),
    HandedOn(Result<Outbound, CallError>),
}

impl Server {
    fn fail(&self, code: ErrorCode, reason: String) -> CallError {
        CallError::new(Hop::Host(self.about.id.clone()), code, reason)
    }

    /// The call was not run, and another host may have what it asks for.
    fn gone(&self, reason: String) -> CallError {
        self.fail(ErrorCode::Unreachable, reason).not_run()
    }

    fn find(&self, request: &Received) -> Result<Target, CallError> {
        let id = request.call.target.as_str();
        let Received { interface, function, .. } = request;
        if request.text {
            let reason = "calls with arguments as text are made through the control subject component.call";
            return Err(self.fail(ErrorCode::Protocol, reason.to_owned()).not_run());
        }
        let sides = || self.providers.sides(&request.call.target.clone().into()).unwrap_or_default();
        match (&**interface, &**function) {
            (incoming::INTERFACE, incoming::FUNCTION) => self.actors.running(id).map(Target::Http),
            (outgoing::INTERFACE, outgoing::FUNCTION) => sides().http.map(Target::Outgoing),
            (name, _) if name.starts_with("wasi:keyvalue/") => sides().keyvalue.map(Target::Keyvalue),
            // Interfaces of anybody's: the actor says whether it has them.
            _ => self.actors.running(id).map(Target::Function),
        }
        .ok_or_else(|| self.gone(format!("{id} does not run on this host, or does not serve {interface}")))
    }

    /// Takes a permit of the actor; where none is left, does what the call's way here asks for.
    async fn admit(&self, actor: &Arc<Actor>, request: Box<Received>) -> Result<Admitted, CallError> {
        match actor.try_enter() {
            Some(ticket) => Ok(Admitted::Enter(ticket, request)),
            None => Box::pin(self.admit_later(actor, request)).await,
        }
    }

    async fn admit_later(&self, actor: &Arc<Actor>, request: Box<Received>) -> Result<Admitted, CallError> {
        let came =
            Came { by_group: request.by_group, handed_on: request.handed_on, at_once: request.at_once };
        let others = self.directory.hosts_of(&request.call.target);
        match when_full(came, self.about.site().as_deref(), &others, self.remote.random()) {
            WhenFull::HandOn(host) => Ok(Admitted::HandedOn(request.hand_on(&host).await)),
            WhenFull::Refuse => {
                let reason = "all permits are taken; others that run it may have one".to_owned();
                let hop = Hop::Actor(actor.id().clone());
                Err(CallError::new(hop, ErrorCode::Overloaded, reason).not_run())
            }
            WhenFull::Wait => match within(request.wait, actor.enter(&request.call)).await {
                Some(Ok(ticket)) => Ok(Admitted::Enter(ticket, request)),
                Some(Err(NotEntered::Retired(error))) => self.successor(actor, request, error).await,
                Some(Err(refused)) => Err(refused.into_error().not_run()),
                None => {
                    let reason = "no permit became free in the time that the call may wait here".to_owned();
                    let hop = Hop::Actor(actor.id().clone());
                    Err(CallError::new(hop, ErrorCode::Overloaded, reason).not_run())
                }
            },
        }
    }

    /// The actor was replaced, or is being stopped, since the call came.
    async fn successor(
        &self,
        retired: &Arc<Actor>,
        request: Box<Received>,
        error: CallError,
    ) -> Result<Admitted, CallError> {
        let successor = self.actors.running(retired.id().as_str());
        let successor = successor.filter(|successor| !Arc::ptr_eq(successor, retired));
        let successor = successor.ok_or_else(|| error.not_run())?;
        let entered = successor.enter(&request.call).await;
        let ticket = entered.map_err(|refused| refused.into_error().not_run())?;
        Ok(Admitted::Enter(ticket, request))
    }
}

/// What comes of `waiting`; none where that takes longer than `time`.
async fn within<T>(time: Option<Duration>, waiting: impl Future<Output = T>) -> Option<T> {
    match time {
        Some(time) => tokio::time::timeout(time, waiting).await.ok(),
        None => Some(waiting.await),
    }
}

async fn serve_http(ticket: Ticket, request: Box<Received>) -> Result<Outbound, CallError> {
    let Received { call, body, .. } = *request;
    let hop = Hop::Actor(call.target.clone().into());
    let request = incoming::request(body, hop.clone()).await?;
    let response = ticket.handle(call, request).await?;
    incoming::reply(response, hop).await
}

async fn serve_function(ticket: Ticket, request: Box<Received>) -> Result<Outbound, CallError> {
    let Received { call, interface, function, body, .. } = *request;
    let params = values::params(body, Hop::Actor(call.target.clone().into())).await?;
    let results = ticket.invoke(call, &interface, &function, Values::from_bytes(params)).await?;
    Ok(values::reply(&results.into_bytes()?))
}

async fn serve_outgoing(provider: &dyn Outgoing, request: Box<Received>) -> Result<Outbound, CallError> {
    let Received { call, body, .. } = *request;
    let hop = Hop::Provider(call.target.clone().into());
    let (request, limits) = outgoing::request(body, hop.clone()).await?;
    outgoing::reply(provider.request(call, request, limits).await, hop).await
}
