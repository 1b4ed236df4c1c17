//! A guest's way out: the dispatch, with the call that is being served.

use std::sync::Arc;

use lattice_contracts::{CallContext, logging::Level};
use lattice_core::LinkName;

use crate::{Dispatch, guest::Watch};

/// Held in the store; every import goes through it.
pub(crate) struct Way {
    pub(crate) call: Arc<CallContext>,
    /// The link that imports use.
    pub(crate) link: LinkName,
    /// Bodies the guest has made while serving this call.
    pub(super) bodies: u32,
    pub(crate) watch: Arc<Watch>,
}

impl Way {
    pub(crate) fn new(call: Arc<CallContext>, watch: Arc<Watch>) -> Self {
        Self { call, link: LinkName::default(), bodies: 0, watch }
    }

    /// Where what the guest imports is found.
    pub(crate) fn dispatch(&self) -> &dyn Dispatch {
        &*self.watch.output.kit().dispatch
    }

    /// Turns to the next call.
    pub(crate) fn begin(&mut self, call: Arc<CallContext>) {
        self.watch.output.begin(&call);
        self.call = call;
        self.bodies = 0;
    }

    /// A line in the guest's log.
    pub(crate) fn log(&self, level: Level, context: &str, message: &str) {
        self.watch.output.log(level, context, message);
    }
}
