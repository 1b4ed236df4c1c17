//! Logging of the daemon: to standard error, as text for people or JSON for machines.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

/// Sets up logging for this process; `directives` as `--log-level` takes them. Called once, first.
///
/// # Errors
/// If `directives` cannot be read.
pub fn init(directives: &str, json: bool) -> Result<(), tracing_subscriber::filter::ParseError> {
    // The client logs each of its events at info; what matters of them the host says itself.
    let quiet = if directives.contains("async_nats") { String::new() } else { ",async_nats=warn".to_owned() };
    let filter = EnvFilter::try_new(format!("{directives}{quiet}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    // A second call (tests that start two hosts) keeps the first one's settings.
    let _already_set = if json { builder.json().try_init() } else { builder.try_init() };
    Ok(())
}
