//! Calls that a provider makes of actors, which run on whatever host.

use async_trait::async_trait;
use lattice_contracts::{
    CallContext,
    http::{Incoming, Request, Response},
};
use lattice_core::{CallError, CallTo, Hop};
use lattice_nats::{Called, Calls, remote::http::incoming};

/// An actor that answers HTTP requests; the broker picks who runs it.
pub(crate) struct RemoteActor(pub(crate) Calls);

#[async_trait]
impl Incoming for RemoteActor {
    async fn handle(&self, call: CallContext, request: Request) -> Result<Response, CallError> {
        let hop = || Hop::Actor(call.target.clone().into());
        let offer = incoming::offer(request, hop()).await?;
        let called = Called {
            interface: incoming::INTERFACE.to_owned(),
            function: incoming::FUNCTION.to_owned(),
            known: true,
            ..Called::default()
        };
        let reply = self.0.call(&call, CallTo::Anyone, called, offer.outbound()).await?;
        // Nobody else is asked, so nothing of it needs to be kept.
        drop(offer);
        incoming::response(reply, hop()).await
    }
}
