//! Calls of plain functions: values in, values out, in the caller's own future.
//!
//! No task, no channel, no timer unless the guest waits: between two actors of one host a call is a function call.

use std::{pin::pin, sync::Arc};

use async_trait::async_trait;
use lattice_contracts::CallContext;
use lattice_core::{CallError, ErrorCode};
use tokio::time::Instant;
use wasmtime::component::{ComponentExportIndex, Val};

use crate::{
    actor::{Actor, Inner, NotEntered, Ticket},
    call::Seat,
    dispatch::Function,
    failure::Failure,
    meter::{Metered, Panicked},
    pool::Live,
    stats::Outcome,
    values::Values,
};

/// What is called, with what.
pub(crate) struct Plan<'p> {
    /// For people.
    pub(crate) name: &'p str,
    pub(crate) index: ComponentExportIndex,
    pub(crate) params: &'p [Val],
    /// Whether it gives anything back.
    pub(crate) gives: bool,
}

#[async_trait]
impl Function for Actor {
    async fn invoke(
        &self,
        call: CallContext,
        interface: &str,
        function: &str,
        params: Values<'_>,
    ) -> Result<Values<'static>, CallError> {
        let ticket = self.enter(&call).await.map_err(NotEntered::into_error)?;
        ticket.invoke(call, interface, function, params).await
    }
}

impl Ticket {
    /// Calls `function` of `interface`, which the actor exports in this version or a compatible one.
    ///
    /// # Errors
    /// [`ErrorCode::Protocol`] if it exports no such function, or one of other types; nothing was run then. Else as any call
    /// of the actor.
    ///
    /// # Cancellation
    /// Dropping the future ends the guest.
    pub async fn invoke(
        self,
        call: CallContext,
        interface: &str,
        function: &str,
        params: Values<'_>,
    ) -> Result<Values<'static>, CallError> {
        let actor = self.inner.clone();
        let refused = |error: CallError| {
            actor.counters.count(Outcome::Failed);
            error
        };
        let export = actor.exported.find(interface, function).map_err(|reason| {
            refused(Failure::new(actor.id(), Outcome::Failed, ErrorCode::Protocol, reason).error)
        })?;
        let signature = &export.signature;
        let params = params.into_params(signature).map_err(refused)?;
        let (index, gives) = (export.index, signature.result.is_some());
        let plan = Plan { name: &signature.name, index, params: &params, gives };
        let value = self.run(call, plan).await.map_err(|failure| failure.error)?;
        Ok(Values::result(value, signature.clone()))
    }

    /// Runs a function under the actor's limits, until the call's deadline.
    pub(crate) async fn run(self, mut call: CallContext, plan: Plan<'_>) -> Result<Option<Val>, Failure> {
        let Self { inner, permit, token } = self;
        let asked = call.clone();
        // What the guest calls has no more time than the guest.
        call.deadline = call.deadline.min(Instant::now() + inner.kit.limits.wall);
        let call = Arc::new(call);
        let live = inner.lend(&call);
        let watch = live.watch.clone();
        // Declared before the guest, so dropped after it: who takes the permit over finds room.
        let mut seat = Seat::take(inner.clone(), permit, token, watch.clone());
        let guest = pin!(inner.run_function(live, &call, plan));
        let mut guest = Metered::new(watch, guest);
        let ended = tokio::select! {
            biased;
            ended = &mut guest => ended.unwrap_or_else(|Panicked| Err(inner.defect(&call))),
            () = tokio::time::sleep_until(call.deadline) => Err(inner.late(call.deadline, &asked)),
            () = inner.kill.cancelled() => Err(inner.stopped()),
        };
        seat.outcome = ended.as_ref().map_or_else(|failure| failure.outcome, |_| Outcome::Ok);
        ended
    }
}

impl Inner {
    async fn run_function(
        &self,
        mut live: Live,
        call: &Arc<CallContext>,
        plan: Plan<'_>,
    ) -> Result<Option<Val>, Failure> {
        let mut result = [Val::Bool(false)];
        let results = &mut result[..usize::from(plan.gives)];
        match self.call_function(&mut live, call, &plan, results).await {
            Ok(()) => {
                self.give_back(live);
                let [value] = result;
                Ok(plan.gives.then_some(value))
            }
            Err(error) => Err(self.failure(&live, call, &error)),
        }
    }

    async fn call_function(
        &self,
        live: &mut Live,
        call: &Arc<CallContext>,
        plan: &Plan<'_>,
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let instance = self.settle(live, call).await?;
        let function = instance
            .get_func(&mut live.store, plan.index)
            .ok_or_else(|| wasmtime::Error::msg(format!("its instance has no function {}", plan.name)))?;
        function.call_async(&mut live.store, plan.params, results).await
    }
}
