//! Contracts over real servers.

mod http;
mod keyvalue;

use async_trait::async_trait;
use lattice_contracts::CallContext;
use lattice_core::{CallError, CallTo};
use lattice_nats::{
    Called, Calls,
    remote::{Caller, Function, Offer, Taken},
};

/// Calls whoever takes it.
pub(crate) struct Anyone(pub(crate) Calls);

#[async_trait]
impl Caller for Anyone {
    async fn call(
        &self,
        call: &CallContext,
        function: Function<'_>,
        request: &Offer,
        _refused_here: Option<CallError>,
    ) -> Result<Taken, CallError> {
        let reply = self.0.call(call, CallTo::Anyone, called(function), request.outbound()).await?;
        Ok(Taken::Elsewhere(reply))
    }
}

pub(crate) fn called(function: Function<'_>) -> Called {
    let Function { interface, function } = function;
    Called { interface: interface.to_owned(), function: function.to_owned(), ..Called::default() }
}
