//! Who makes the calls of a remote implementation.

use async_trait::async_trait;
use lattice_contracts::CallContext;
use lattice_core::CallError;

use super::Offer;
use crate::Inbound;

/// One function of an interface, as it stands in subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function<'a> {
    /// The interface with its package, as `wasi:keyvalue/store`.
    pub interface: &'a str,
    /// The function, as `get`.
    pub function: &'a str,
}

/// Makes calls over the lattice: finds who serves the target, asks them one after the other where they refuse without
/// having run anything, and gives the reply of whoever took it.
#[async_trait]
pub trait Caller: Send + Sync {
    /// Calls `function` of the target of `call`; returns with the first bytes of the reply.
    ///
    /// # Errors
    /// [`CallError`] of the hop that failed.
    ///
    /// # Cancellation
    /// Dropping the future, or later the reply, cancels the call.
    async fn call(
        &self,
        call: &CallContext,
        function: Function<'_>,
        request: Offer,
    ) -> Result<Inbound, CallError>;
}
