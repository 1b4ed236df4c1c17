//! Lines of guests become lines of the host's log, with actor and invocation id.

use lattice_contracts::logging::{Level, LogRecord, Stream};
use tracing::{debug, error, info, trace, warn};

/// Writes one line of a guest's. Its text is escaped and bounded by the runtime already.
pub(crate) fn write(record: &LogRecord) {
    let stream = match record.stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
        _ => "logging",
    };
    let (actor, invocation, context) = (&record.actor, record.invocation, record.context.as_str());
    let line = record.message.as_str();
    let trace_id = record.trace.map(|trace| tracing::field::display(trace.trace_id()));
    macro_rules! at {
        ($level:ident) => {
            $level!(target: "guest", %actor, %invocation, trace_id, stream, context, line, "guest")
        };
    }
    match record.level {
        Level::Trace => at!(trace),
        Level::Debug => at!(debug),
        Level::Warn => at!(warn),
        Level::Error | Level::Critical => at!(error),
        _ => at!(info),
    }
}
