//! How an actor at the end of a link is called: looked up at each call, so that a link outlives the actor and serves its
//! successor, on this host or on another.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lattice_contracts::{
    CallContext,
    http::{Incoming, Request, Response},
};
use lattice_core::{CallError, Distance, ErrorCode, Hop, HostId};
use lattice_nats::remote::{self as wire, Taken, http::incoming, values};
use lattice_runtime::{Actor, Function, NotEntered, Ticket, Values};

use super::Actors;
use crate::calls::{Here, Patience, Remote, Way};

/// Hands out callees; cheap to clone.
#[derive(Clone)]
pub(crate) struct Callees {
    pub(crate) actors: Actors,
    pub(crate) host: HostId,
    pub(crate) remote: Remote,
}

impl Callees {
    /// The HTTP side of the actor at the end of a link, whether it runs now or not, and wherever.
    pub(crate) fn http(&self, way: Way) -> Arc<dyn Incoming> {
        Arc::new(Callee { way, callees: self.clone() })
    }

    /// The functions of the actor at the end of a link, whether it runs now or not, and wherever.
    pub(crate) fn function(&self, way: Way) -> Arc<dyn Function> {
        Arc::new(Callee { way, callees: self.clone() })
    }

    /// A ticket of whoever runs here under the actor's id; waits for it if need be.
    pub(crate) async fn enter(&self, id: &str, call: &CallContext) -> Result<Ticket, CallError> {
        let actor = self.actors.running(id).ok_or_else(|| self.missing(id))?;
        match actor.enter(call).await {
            Ok(ticket) => Ok(ticket),
            Err(NotEntered::Retired(error)) => {
                // Replaced between the look and the call: nothing was run, so the successor may.
                let successor = self.actors.running(id);
                let successor = successor.filter(|successor| !Arc::ptr_eq(successor, &actor)).ok_or(error)?;
                successor.enter(call).await.map_err(NotEntered::into_error)
            }
            Err(refused) => Err(refused.into_error()),
        }
    }

    fn missing(&self, id: &str) -> CallError {
        let reason = format!("actor {id} does not run on this host; start it: wash start actor IMAGE {id}");
        CallError::new(Hop::Host(self.host.clone()), ErrorCode::Unreachable, reason).not_run()
    }
}

struct Callee {
    way: Way,
    callees: Callees,
}

#[async_trait]
impl Incoming for Callee {
    async fn handle(&self, call: CallContext, request: Request) -> Result<Response, CallError> {
        match self.enter_at_once() {
            Some(ticket) => ticket.handle(call, request).await,
            None => Box::pin(self.handle_somewhere(call, request)).await,
        }
    }
}

#[async_trait]
impl Function for Callee {
    async fn invoke(
        &self,
        call: CallContext,
        interface: &str,
        function: &str,
        params: Values<'_>,
    ) -> Result<Values<'static>, CallError> {
        match self.enter_at_once() {
            Some(ticket) => ticket.invoke(call, interface, function, params).await,
            None => Box::pin(self.invoke_somewhere(call, interface, function, params)).await,
        }
    }
}

impl Callee {
    fn find(&self) -> Option<Arc<Actor>> {
        self.callees.actors.running(self.way.key.target.as_str())
    }

    /// The usual case: the actor is here, and free. It is a function call then, and knows nothing of other hosts.
    fn enter_at_once(&self) -> Option<Ticket> {
        match self.way.distance {
            Distance::Local | Distance::PreferLocal => self.find()?.try_enter(),
            Distance::Lattice => None,
        }
    }

    fn here(&self) -> Here {
        match self.find() {
            Some(actor) if actor.is_full() => Here::Full,
            Some(_) => Here::Free,
            None => Here::No,
        }
    }

    /// True if the actor is here and nobody else would be asked: then a call is not even encoded.
    fn is_only_here(&self) -> bool {
        let alone = self.way.distance == Distance::Local || !self.callees.remote.knows_others(&self.way);
        alone && self.here() != Here::No
    }

    /// Who answers for what is wrong with a message.
    fn hop(&self) -> Hop {
        Hop::Actor(self.way.key.target.clone().into())
    }

    /// The actor is full, or not here, or counts as one of many: other hosts may be asked before anything waits.
    async fn handle_somewhere(&self, call: CallContext, request: Request) -> Result<Response, CallError> {
        if self.is_only_here() {
            return self.enter(&call).await?.handle(call, request).await;
        }
        self.check_distance(&call)?;
        let function = wire::Function { interface: incoming::INTERFACE, function: incoming::FUNCTION };
        let offer = incoming::offer(request, self.hop()).await?;
        let mut patience = Patience::new();
        loop {
            match self.callees.remote.call(&self.way, &call, function, &offer, || self.here(), None).await? {
                Taken::Elsewhere(reply) => return incoming::response(reply, self.hop()).await,
                Taken::Here => {
                    let Some(ticket) = self.enter_within(patience.next(), &call).await? else { continue };
                    let request = incoming::take_back(offer, self.hop()).await?;
                    return ticket.handle(call, request).await;
                }
            }
        }
    }

    /// As [`Callee::handle_somewhere`], for a plain function.
    async fn invoke_somewhere(
        &self,
        call: CallContext,
        interface: &str,
        function: &str,
        params: Values<'_>,
    ) -> Result<Values<'static>, CallError> {
        if self.is_only_here() {
            return self.enter(&call).await?.invoke(call, interface, function, params).await;
        }
        self.check_distance(&call)?;
        let params = params.into_bytes()?;
        let called = wire::Function { interface, function };
        let offer = values::offer(called, &params, self.hop())?;
        let mut patience = Patience::new();
        loop {
            match self.callees.remote.call(&self.way, &call, called, &offer, || self.here(), None).await? {
                Taken::Elsewhere(reply) => {
                    return Ok(Values::from_bytes(values::results(reply, self.hop()).await?));
                }
                Taken::Here => {
                    let Some(ticket) = self.enter_within(patience.next(), &call).await? else { continue };
                    return ticket.invoke(call, interface, function, Values::from_bytes(params)).await;
                }
            }
        }
    }

    fn check_distance(&self, call: &CallContext) -> Result<(), CallError> {
        match self.way.distance {
            Distance::Local => Err(self.callees.remote.too_far(call)),
            Distance::PreferLocal | Distance::Lattice => Ok(()),
        }
    }

    /// None if no permit became free in that time, and another host may have one by now.
    async fn enter_within(&self, time: Duration, call: &CallContext) -> Result<Option<Ticket>, CallError> {
        tokio::time::timeout(time, self.enter(call)).await.ok().transpose()
    }

    async fn enter(&self, call: &CallContext) -> Result<Ticket, CallError> {
        self.callees.enter(self.way.key.target.as_str(), call).await
    }
}
