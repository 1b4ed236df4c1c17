//! How what a guest asks for leaves the runtime. The runtime knows no NATS, no links and no providers: it asks.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use lattice_contracts::{CallContext, http::Outgoing, keyvalue::Keyvalue, logging::LogRecord};
use lattice_core::{CallError, LinkName, Secret};

use crate::{Interface, Values};

/// The implementation of a contract that a call may use, with the context to call it under.
pub struct Bound<T: ?Sized> {
    /// Context of the outgoing call: source is the actor, target the link's.
    pub call: CallContext,
    /// Local or remote; the runtime cannot tell.
    pub implementation: Arc<T>,
}

/// Why an actor does not get a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSecret {
    /// The actor has none of that name.
    #[error("the actor has no secret of that name")]
    NotFound,
    /// It has one, and this host cannot open it now.
    #[error("{0}")]
    Upstream(String),
}

/// Somebody whose functions others call: an actor here, or one on another host.
#[async_trait]
pub trait Function: Send + Sync {
    /// Calls `function` of `interface` (`namespace:package/interface@version`) and waits for what it gives back.
    ///
    /// # Errors
    /// As any call; [`lattice_core::ErrorCode::Protocol`] where there is no such function, or one of other types.
    ///
    /// # Cancellation
    /// Dropping the future ends the call; the callee may have acted all the same.
    async fn invoke(
        &self,
        call: CallContext,
        interface: &str,
        function: &str,
        params: Values<'_>,
    ) -> Result<Values<'static>, CallError>;
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

    /// Whoever serves `function` of an interface that the host itself does not, behind `link`.
    ///
    /// # Errors
    /// As [`Dispatch::keyvalue`].
    fn function(
        &self,
        current: &CallContext,
        link: &LinkName,
        interface: &Interface,
        function: &str,
    ) -> Result<Bound<dyn Function>, CallError>;

    /// True if there is a link for `interface` now; asked when the actor starts, for interfaces that only a link gives.
    fn is_linked(&self, interface: &Interface) -> bool;

    /// The actor's configuration as it is now.
    fn config(&self) -> Arc<BTreeMap<String, String>>;

    /// A secret that the actor was given, as it is now.
    ///
    /// # Errors
    /// [`NoSecret::NotFound`] also for every name that the actor was not given.
    fn secret(&self, name: &str) -> Result<Secret, NoSecret>;

    /// Takes a line of the guest's. Drops it rather than block.
    fn log(&self, record: LogRecord);
}
