//! What an actor of a bench may reach: nothing, or one other actor.

use std::{collections::BTreeMap, sync::Arc};

use lattice_contracts::{CallContext, InvocationIds, http::Outgoing, keyvalue::Keyvalue, logging::LogRecord};
use lattice_core::{CallError, ErrorCode, Hop, LinkName};
use lattice_runtime::{Actor, Bound, Dispatch, Function, Interface};

/// The way out of one actor.
pub(crate) struct Links {
    callee: Option<Arc<Actor>>,
    ids: InvocationIds,
}

impl Links {
    /// No link at all.
    #[must_use]
    pub(crate) fn none() -> Self {
        Self { callee: None, ids: InvocationIds::new(1) }
    }

    /// Whatever functions the actor imports are those of `callee`.
    #[must_use]
    pub(crate) fn to(callee: Arc<Actor>) -> Self {
        Self { callee: Some(callee), ids: InvocationIds::new(1) }
    }

    fn refuse(current: &CallContext) -> CallError {
        let hop = Hop::Actor(current.target.clone().into());
        CallError::new(hop, ErrorCode::NoLink, "the bench has no such link")
    }
}

impl Dispatch for Links {
    fn keyvalue(
        &self,
        current: &CallContext,
        _: &LinkName,
        _: &'static str,
    ) -> Result<Bound<dyn Keyvalue>, CallError> {
        Err(Self::refuse(current))
    }

    fn http_outgoing(&self, current: &CallContext, _: &LinkName) -> Result<Bound<dyn Outgoing>, CallError> {
        Err(Self::refuse(current))
    }

    fn function(
        &self,
        current: &CallContext,
        link: &LinkName,
        _: &Interface,
        _: &str,
    ) -> Result<Bound<dyn Function>, CallError> {
        let callee = self.callee.clone().ok_or_else(|| Self::refuse(current))?;
        let (target, hop) = (callee.id().clone().into(), Hop::Actor(callee.id().clone()));
        let call = current.nested(self.ids.next(), target, link.clone(), hop)?;
        Ok(Bound { call, implementation: callee })
    }

    fn is_linked(&self, _: &Interface) -> bool {
        self.callee.is_some()
    }

    fn config(&self) -> Arc<BTreeMap<String, String>> {
        Arc::default()
    }

    fn secret(&self, _name: &str) -> Result<lattice_core::Secret, lattice_runtime::NoSecret> {
        Err(lattice_runtime::NoSecret::NotFound)
    }

    fn log(&self, _: LogRecord) {}
}
