//! How what a guest asks for leaves the runtime. The runtime knows no NATS, no links and no providers: it asks.

use std::{collections::BTreeMap, sync::Arc};

use lattice_contracts::{CallContext, http::Outgoing, keyvalue::Keyvalue, logging::LogRecord};
use lattice_core::{CallError, LinkName};

/// The implementation of a contract that a call may use, with the context to call it under.
pub struct Bound<T: ?Sized> {
    /// Context of the outgoing call: source is the actor, target the link's.
    pub call: CallContext,
    /// Local or remote; the runtime cannot tell.
    pub implementation: Arc<T>,
}

/// One actor's way out, given by the host when it starts the actor.
///
/// Methods that return at once are called on the guest's hot path: they take no lock that anybody holds for long, and
/// never block. Links may change between any two calls; each call sees one state of them.
pub trait Dispatch: Send + Sync + 'static {
    /// The key-value implementation behind `link`, for an interface of `wasi:keyvalue` (`store`, `atomics`, `batch`).
    ///
    /// # Errors
    /// [`lattice_core::ErrorCode::NoLink`] whose reason prints the command that makes the link,
    /// [`lattice_core::ErrorCode::Denied`] where the link does not grant the interface.
    fn keyvalue(
        &self,
        current: &CallContext,
        link: &LinkName,
        interface: &'static str,
    ) -> Result<Bound<dyn Keyvalue>, CallError>;

    /// The implementation of outgoing HTTP behind `link`.
    ///
    /// # Errors
    /// As [`Dispatch::keyvalue`].
    fn http_outgoing(&self, current: &CallContext, link: &LinkName)
    -> Result<Bound<dyn Outgoing>, CallError>;

    /// The actor's configuration as it is now.
    fn config(&self) -> Arc<BTreeMap<String, String>>;

    /// Takes a line of the guest's. Drops it rather than block.
    fn log(&self, record: LogRecord);
}
