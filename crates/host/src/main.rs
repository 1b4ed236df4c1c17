//! `wasmcloud`: a host of the lattice.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use clap::Parser as _;
use lattice_host::{Cli, Command, Host, confine, init_telemetry, live};

/// Calls are many small allocations, which end on other threads than they began on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit codes: 0 stopped as asked, 1 failed, 2 wrong usage, 3 no lattice in reach.
fn main() -> ExitCode {
    // Two TLS providers could be compiled in; rustls panics unless one is chosen first.
    let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    if let Some(Command::ConfineProvider(confined)) = &cli.command {
        eprintln!("error: {}", confine(confined));
        return ExitCode::from(126);
    }
    if let Some(command) = &cli.command {
        let name = command.name();
        eprintln!("error: `wasmcloud {name}` belongs to functions, which this version does not have yet");
        eprintln!("help: `wasmcloud --help` shows the flags of a host; `wash --help` the lattice's shell");
        return ExitCode::from(2);
    }
    let (directives, json) = cli.host.logging();
    if let Err(error) = init_telemetry(directives, json) {
        eprintln!("error: --log-level {directives:?}: {error}; use error, warn, info, debug or trace");
        return ExitCode::from(2);
    }
    // Looked at before anything is begun: a flag that is wrong is wrong usage.
    if let Err(error) = cli.host.resolve() {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            let unreachable = error.chain().any(|cause| {
                cause
                    .downcast_ref::<lattice_nats::ConnectError>()
                    .is_some_and(lattice_nats::ConnectError::is_retryable)
            });
            ExitCode::from(if unreachable { 3 } else { 1 })
        }
    }
}

fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("wasmcloud")
        .build()
        .context("cannot start the threads that serve calls")?;
    let config = || Cli::parse().host.resolve().context("the flags of the host");
    let outcome = runtime.block_on(live(config, announce));
    // Blocking work that hangs (a slow disk) must not keep a stopped host alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}

/// The one line on standard output: whoever started the host waits for it.
fn announce(host: &Host) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", host.ready_line())
        .and_then(|()| out.flush())
        .context("cannot write to standard output")
}
