//! A guest's way out: the dispatch, with the call that is being served.

use std::sync::Arc;

use lattice_contracts::{CallContext, logging::Level};
use lattice_core::LinkName;

use crate::{Dispatch, output::Output};

/// Held in the store; every import goes through it.
pub(crate) struct Way {
    pub(crate) dispatch: Arc<dyn Dispatch>,
    pub(crate) call: CallContext,
    /// The link that imports use.
    pub(crate) link: LinkName,
    /// Bodies the guest has made while serving this call.
    pub(super) bodies: u32,
    pub(super) output: Arc<Output>,
}

impl Way {
    pub(crate) fn new(dispatch: Arc<dyn Dispatch>, call: CallContext, output: Arc<Output>) -> Self {
        Self { dispatch, call, link: LinkName::default(), bodies: 0, output }
    }

    /// Turns to the next call.
    pub(crate) fn begin(&mut self, call: CallContext) {
        self.output.begin(call.id);
        self.call = call;
        self.bodies = 0;
    }

    /// A line in the guest's log.
    pub(crate) fn log(&self, level: Level, context: &str, message: &str) {
        self.output.log(level, context, message);
    }
}
