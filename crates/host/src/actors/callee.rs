//! How a provider calls an actor: looked up at each call, so that a link outlives the actor and serves its successor.

use std::sync::Arc;

use async_trait::async_trait;
use lattice_contracts::{
    CallContext,
    http::{Incoming, Request, Response},
};
use lattice_core::{ActorId, CallError, ErrorCode, Hop, HostId};

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
        Arc::new(HttpCallee { actor: actor.clone(), callees: self.clone() })
    }
}

struct HttpCallee {
    actor: ActorId,
    callees: Callees,
}

#[async_trait]
impl Incoming for HttpCallee {
    async fn handle(&self, call: CallContext, request: Request) -> Result<Response, CallError> {
        match self.callees.actors.running(self.actor.as_str()) {
            Some(actor) => actor.handle(call, request).await,
            None => {
                let hop = Hop::Host(self.callees.host.clone());
                let reason = format!(
                    "actor {actor} does not run on this host; start it: wash start actor IMAGE {actor}",
                    actor = self.actor
                );
                Err(CallError::new(hop, ErrorCode::Unreachable, reason))
            }
        }
    }
}
