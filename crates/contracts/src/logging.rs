//! `wasi:logging`, and what a guest prints: one kind of record for both.

use lattice_core::{ActorId, InvocationId, TraceParent};

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stream {
    /// Printed to standard output.
    Stdout,
    /// Printed to standard error.
    Stderr,
    /// Written through `wasi:logging`.
    Logging,
}

/// Levels of `wasi:logging`. What is printed has level [`Level::Info`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// Every step.
    Trace,
    /// Decisions.
    Debug,
    /// What is going on.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
    /// Nothing works.
    Critical,
}

/// One line of a guest's.
#[derive(Debug, Clone)]
pub struct LogRecord {
    /// Who says it.
    pub actor: ActorId,
    /// While serving which invocation.
    pub invocation: InvocationId,
    /// The trace that the invocation belongs to, where it is sampled.
    pub trace: Option<TraceParent>,
    /// Where it came from.
    pub stream: Stream,
    /// How loud.
    pub level: Level,
    /// The context a guest gave to `wasi:logging`; empty otherwise.
    pub context: String,
    /// The line, without its end, at most the runtime's line limit long, control characters escaped.
    pub message: String,
}
