//! What becomes of a guest that did not answer: one typed error, and the backtrace in the host's log.

use lattice_contracts::CallContext;
use lattice_core::{ActorId, CallError, ErrorCode, Hop};
use wasmtime::{PoolConcurrencyLimitError, Trap, component::ResourceTableError};
use wasmtime_wasi::I32Exit;

use crate::{budget::Refused, config::Limits, imports::linked::CallFailed, meter::CpuSpent, stats::Outcome};

/// A call that failed: what its caller is told, and how it is counted.
pub(crate) struct Failure {
    pub(crate) outcome: Outcome,
    pub(crate) error: CallError,
}

impl Failure {
    pub(crate) fn new(actor: &ActorId, outcome: Outcome, code: ErrorCode, reason: impl Into<String>) -> Self {
        Self { outcome, error: CallError::new(Hop::Actor(actor.clone()), code, reason) }
    }

    /// The guest ended with `error`; `refused` says if, and by what, it was refused memory before.
    pub(crate) fn of_guest(
        actor: &ActorId,
        call: &CallContext,
        limits: &Limits,
        refused: Option<Refused>,
        error: &wasmtime::Error,
    ) -> Self {
        if error.downcast_ref::<CpuSpent>().is_some() {
            let reason = format!(
                "invocation {} used more than {:?} of processor time and was stopped",
                call.id, limits.cpu
            );
            return Self::new(actor, Outcome::Deadline, ErrorCode::Deadline, reason);
        }
        if let Some(failed) = error.downcast_ref::<CallFailed>() {
            return Self::of_call(actor, call, failed);
        }
        if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
            let reason = "the host has no instance slot left; try again, or on another host";
            let refused = Self::new(actor, Outcome::Overloaded, ErrorCode::Overloaded, reason);
            return Self { error: refused.error.not_run(), ..refused };
        }
        let mut kind = kind(error, limits);
        match refused {
            Some(Refused::Actor) => {
                kind.push_str(&format!(" (it was refused memory beyond its {} bytes)", limits.memory_bytes));
            }
            Some(Refused::Host) => {
                kind.push_str(" (it was refused memory: the host's budget for all guests is used up)");
            }
            None => {}
        }
        let trace_id = call.trace.map(|trace| tracing::field::display(trace.trace_id()));
        tracing::error!(%actor, invocation = %call.id, trace_id, %kind, backtrace = ?error, "guest trapped");
        let reason = format!("invocation {} trapped: {kind}", call.id);
        Self::new(actor, Outcome::Trap, ErrorCode::Trap, reason)
    }
}

impl Failure {
    /// The guest ended since somebody it called failed. The codes of others stay in the text: some say that nothing was run,
    /// and the guest has.
    fn of_call(actor: &ActorId, call: &CallContext, failed: &CallFailed) -> Self {
        let trace_id = call.trace.map(|trace| tracing::field::display(trace.trace_id()));
        tracing::error!(%actor, invocation = %call.id, trace_id, %failed, "guest trapped");
        if failed.error.code == ErrorCode::Deadline {
            // Strangers read the reasons of this code, so it names nobody; the log does.
            let reason =
                format!("invocation {} called another actor, which took longer than it may", call.id);
            return Self::new(actor, Outcome::Deadline, ErrorCode::Deadline, reason);
        }
        let reason = format!("invocation {} trapped: {failed}", call.id);
        Self::new(actor, Outcome::Trap, ErrorCode::Trap, reason)
    }
}

/// The trap in a few words.
fn kind(error: &wasmtime::Error, limits: &Limits) -> String {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        let text = trap.to_string();
        return text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned();
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
        return format!("it held more than {} host handles at once", limits.handles);
    }
    if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        return format!("it exited with status {status} instead of answering");
    }
    error.root_cause().to_string()
}
