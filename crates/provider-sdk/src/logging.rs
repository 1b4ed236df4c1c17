//! The log: to standard error, which the host reads.

use tracing_subscriber::EnvFilter;

use crate::wire::HostData;

/// Sets logging up: as `RUST_LOG` says, else as the host does. What cannot be read is `info`.
pub(crate) fn init(data: &HostData) {
    let from_host = match data.log_level.as_deref() {
        Some("critical") => "error",
        Some(level) => level,
        None => "info",
    };
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(format!("{from_host},async_nats=warn")))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        // The host's log has a time for each line.
        .without_time();
    // A provider that has set up its own keeps it.
    let _already_set = if data.structured_logging { builder.json().try_init() } else { builder.try_init() };
}
