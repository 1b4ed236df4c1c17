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

/// Who takes a call.
#[derive(Debug)]
pub enum Taken {
    /// The target in this process, which shall be called as what it is. Never said by a caller that knows none there, nor
    /// when that one has refused.
    Here,
    /// Somebody else, whose reply this is.
    Elsewhere(Inbound),
}

/// Makes calls over the lattice: finds who serves the target, asks them one after the other where they refuse without
/// having run anything, and gives the reply of whoever took it.
#[async_trait]
pub trait Caller: Send + Sync {
    /// True if the target in this process comes first, so that a call to it need not even be encoded.
    fn prefers_here(&self) -> bool {
        false
    }

    /// Calls `function` of the target of `call`; returns with the first bytes of the reply. `refused_here` is what the
    /// target in this process said, which has not run the call: then others are asked.
    ///
    /// # Errors
    /// [`CallError`] of the hop that failed; of the last one that refused, where all did.
    ///
    /// # Cancellation
    /// Dropping the future, or later the reply, cancels the call.
    async fn call(
        &self,
        call: &CallContext,
        function: Function<'_>,
        request: &Offer,
        refused_here: Option<CallError>,
    ) -> Result<Taken, CallError>;
}
