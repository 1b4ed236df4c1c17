//! Logging of the daemon: to standard error, as text for people or JSON for machines.

use std::io::{self, IsTerminal as _};

use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt, prelude::*, registry};

/// Sets up logging for this process; `directives` as `--log-level` takes them. Called once, first.
///
/// # Errors
/// If `directives` cannot be read.
pub fn init(directives: &str, json: bool) -> Result<(), tracing_subscriber::filter::ParseError> {
    // The client logs each of its events at info; what matters of them the host says itself.
    let quiet = if directives.contains("async_nats") { String::new() } else { ",async_nats=warn".to_owned() };
    let filter = EnvFilter::try_new(format!("{directives}{quiet}"))?;
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).with_target(false);
    let told = registry().with(filter).with(filter_fn(|about| !holds_payloads(about)));
    // A second call (tests that start two hosts) keeps the first one's settings.
    let _already_set = if json { told.with(lines.json()).try_init() } else { told.with(lines).try_init() };
    Ok(())
}

/// At trace, the client logs every message that comes, whole, and the password that it connects with: no directive asks for that.
fn holds_payloads(about: &Metadata<'_>) -> bool {
    *about.level() == Level::TRACE && about.target().starts_with("async_nats")
}
