//! How an actor of this host is called: looked up at each call, so that a link outlives the actor and serves its successor.

use std::sync::Arc;

use async_trait::async_trait;
use lattice_contracts::{
    CallContext,
    http::{Incoming, Request, Response},
};
use lattice_core::{ActorId, CallError, ErrorCode, Hop, HostId};
use lattice_runtime::{Actor, Function, NotEntered, Ticket, Values};

use super::Actors;

/// Hands out callees; cheap to clone.
#[derive(Clone)]
pub(crate) struct Callees {
    pub(crate) actors: Actors,
    pub(crate) host: HostId,
}

impl Callees {
    /// The HTTP side of an actor, whether it runs now or not.
    pub(crate) fn http(&self, actor: &ActorId) -> Arc<dyn Incoming> {
        Arc::new(Callee { actor: actor.clone(), callees: self.clone() })
    }

    /// The functions of an actor, whether it runs now or not.
    pub(crate) fn function(&self, actor: &ActorId) -> Arc<dyn Function> {
        Arc::new(Callee { actor: actor.clone(), callees: self.clone() })
    }
}

struct Callee {
    actor: ActorId,
    callees: Callees,
}

#[async_trait]
impl Incoming for Callee {
    async fn handle(&self, call: CallContext, request: Request) -> Result<Response, CallError> {
        self.enter(&call).await?.handle(call, request).await
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
        self.enter(&call).await?.invoke(call, interface, function, params).await
    }
}

impl Callee {
    /// A ticket of whoever runs under the actor's id.
    async fn enter(&self, call: &CallContext) -> Result<Ticket, CallError> {
        let actor = self.find()?;
        match actor.enter(call).await {
            Ok(ticket) => Ok(ticket),
            Err(NotEntered::Retired(error)) => {
                // Replaced between the look and the call: nothing was run, so the successor may.
                let successor =
                    self.find().ok().filter(|successor| !Arc::ptr_eq(successor, &actor)).ok_or(error)?;
                successor.enter(call).await.map_err(NotEntered::into_error)
            }
            Err(refused) => Err(refused.into_error()),
        }
    }

    fn find(&self) -> Result<Arc<Actor>, CallError> {
        self.callees.actors.running(self.actor.as_str()).ok_or_else(|| {
            let hop = Hop::Host(self.callees.host.clone());
            let reason = format!(
                "actor {actor} does not run on this host; start it: wash start actor IMAGE {actor}",
                actor = self.actor
            );
            CallError::new(hop, ErrorCode::Unreachable, reason)
        })
    }
}
