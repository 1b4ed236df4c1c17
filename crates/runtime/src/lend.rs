//! Instances for calls: lent to one call at a time, idle ones first, fresh ones else.

use std::sync::Arc;

use lattice_contracts::CallContext;
use wasmtime::{PoolConcurrencyLimitError, component::Instance};

use crate::{actor::Inner, failure::Failure, pool::Live};

impl Inner {
    /// A store for `call`, with the instance of an earlier call in it if one is idle. Nothing of the call has run yet.
    pub(crate) fn lend(&self, call: &Arc<CallContext>) -> Live {
        match self.pool.take() {
            Some(mut live) => {
                live.store.data_mut().begin(call.clone(), &self.kit.limits);
                live.watch.meter.reset();
                live.store.set_epoch_deadline(1);
                live
            }
            None => {
                let watch = self.kit.watch(call);
                let store = self.kit.store(&self.engine.engine, call.clone(), &watch);
                Live { store, instance: None, http: None, watch, served: 0, place: None }
            }
        }
    }

    /// The instance in `live`, made now in a fresh store. Where the pool is full, idle instances make room; a store in
    /// which it failed may hold half of an instance, so the second attempt gets another.
    pub(crate) async fn settle(
        &self,
        live: &mut Live,
        call: &Arc<CallContext>,
    ) -> wasmtime::Result<Instance> {
        if let Some(instance) = live.instance {
            return Ok(instance);
        }
        let instance = match self.linked.instantiate_async(&mut live.store).await {
            Err(error) if error.is::<PoolConcurrencyLimitError>() && self.kit.house.clear() => {
                live.store = self.kit.store(&self.engine.engine, call.clone(), &live.watch);
                self.linked.instantiate_async(&mut live.store).await?
            }
            made => made?,
        };
        live.instance = Some(instance);
        Ok(instance)
    }

    /// Keeps the instance of a call that ended well, if it may serve again; drops it otherwise.
    pub(crate) fn give_back(&self, mut live: Live) {
        live.served += 1;
        self.pool.give(live, self.permits.size());
    }

    /// What a call that ended with `error` is told.
    pub(crate) fn failure(&self, live: &Live, call: &CallContext, error: &wasmtime::Error) -> Failure {
        Failure::of_guest(self.id(), call, &self.kit.limits, live.store.data().limiter.refused(), error)
    }
}
