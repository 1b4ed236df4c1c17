//! What travels with every call, local or remote.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use lattice_core::{CallError, EntityId, ErrorCode, Hop, InvocationId, LinkName, MAX_DEPTH, TraceParent};
use tokio::time::Instant;

/// Who calls whom, under which link, until when.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The invocation; calls made while serving it carry ids of their own.
    pub id: InvocationId,
    /// Who calls.
    pub source: EntityId,
    /// Who is called.
    pub target: EntityId,
    /// The link by whose right the call is made.
    pub link: LinkName,
    /// When the caller gives up. Everything on the way, waiting included, counts against it.
    pub deadline: Instant,
    /// How many calls stand above this one; see [`MAX_DEPTH`].
    pub depth: u8,
    /// The trace that the call belongs to, where it is sampled.
    pub trace: Option<TraceParent>,
}

impl CallContext {
    /// The time left until the deadline; zero when it has passed.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The context of a call that `source`, serving this one, makes to `target`: one deeper, same deadline, same
    /// trace.
    ///
    /// # Errors
    /// [`ErrorCode::Denied`] when calls would nest deeper than [`MAX_DEPTH`].
    pub fn nested(
        &self,
        id: InvocationId,
        target: EntityId,
        link: LinkName,
        hop: Hop,
    ) -> Result<Self, CallError> {
        if self.depth >= MAX_DEPTH {
            let reason = format!("calls nest deeper than {MAX_DEPTH}; is there a circle of links?");
            return Err(CallError::new(hop, ErrorCode::Denied, reason));
        }
        let source = self.target.clone();
        let (deadline, depth, trace) = (self.deadline, self.depth + 1, self.trace);
        Ok(Self { id, source, target, link, deadline, depth, trace })
    }
}

/// Makes the ids of invocations: 64 bits of this process, 64 bits of a counter. Cheap, and never twice the same.
#[derive(Debug)]
pub struct InvocationIds {
    process: u64,
    next: AtomicU64,
}

impl InvocationIds {
    /// `process` tells this process from all others: 64 random bits.
    #[must_use]
    pub fn new(process: u64) -> Self {
        Self { process, next: AtomicU64::new(1) }
    }

    /// A new id.
    pub fn next(&self) -> InvocationId {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        InvocationId::from_bits((u128::from(self.process) << 64) | u128::from(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_of_calls_ends() {
        let ids = InvocationIds::new(7);
        let (a, b) = (EntityId::new("a").unwrap(), EntityId::new("b").unwrap());
        let mut call = CallContext {
            id: ids.next(),
            source: a.clone(),
            target: b,
            link: LinkName::default(),
            deadline: Instant::now(),
            depth: 0,
            trace: None,
        };
        let hop = || Hop::Actor(a.clone().into());
        for _ in 0..MAX_DEPTH {
            call = call.nested(ids.next(), call.source.clone(), LinkName::default(), hop()).unwrap();
        }
        let refused = call.nested(ids.next(), call.source.clone(), LinkName::default(), hop()).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Denied);
    }

    #[test]
    fn ids_differ() {
        let ids = InvocationIds::new(1);
        assert_ne!(ids.next(), ids.next());
        assert_ne!(ids.next(), InvocationIds::new(2).next());
    }
}
