//! In the foreground: until somebody stops it, or a part of it ends.

use std::{convert::Infallible, process::ExitStatus, time::Duration};

use super::{nats::Nats, states::Look};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    local::HostProcess,
    output::Output,
    signals::Signals,
};

/// How long a host may take to stop: it lets calls in flight finish for 10 s by itself.
pub(super) const HOST_PATIENCE: Duration = Duration::from_secs(20);
/// How long it may take once it was asked twice.
const HOST_HURRY: Duration = Duration::from_secs(3);

/// What ended the lattice.
enum End {
    Wished,
    Host(std::io::Result<ExitStatus>),
    Nats(std::io::Result<ExitStatus>),
}

/// Waits for the end, then stops the rest in order: the host first, while it still has NATS to say goodbye on.
pub(super) async fn until_stopped(
    out: &Output,
    mut host: HostProcess,
    mut nats: Nats,
    look: Option<Look>,
    signals: &mut Signals,
) -> Outcome {
    let end = tokio::select! {
        never = tell(out, look) => match never {},
        () = signals.wished() => End::Wished,
        status = host.child.ended() => End::Host(status),
        status = nats.ended() => End::Nats(status),
    };
    match end {
        End::Wished => {
            out.note("stopping; Ctrl-C again stops at once");
            stop_host(out, host, signals).await;
            nats.stop(out).await;
            out.note("stopped");
            Ok(())
        }
        End::Host(status) => {
            host.child.finish().await;
            nats.stop(out).await;
            if status.as_ref().is_ok_and(ExitStatus::success) {
                // `wash down`, `wash stop host`: somebody elsewhere wished it.
                out.note("the host was stopped, so the lattice is down");
                return Ok(());
            }
            let text = format!("the host ended by itself ({}){}", said(&status), host.child.last_lines());
            Err(Failure::say(Exit::Refused, text).help("its log above says why; start again with `wash up`"))
        }
        End::Nats(status) => {
            let lines = nats.ours().map(|server| server.child.last_lines()).unwrap_or_default();
            let text = format!("nats-server ended by itself ({}){lines}", said(&status));
            stop_host(out, host, signals).await;
            nats.stop(out).await;
            Err(Failure::say(Exit::Refused, text)
                .help("start again with `wash up`; the lattice's state is kept"))
        }
    }
}

/// Tells, once, how the manifest's parts fare. Never ends: what stops the lattice is somewhere else.
async fn tell(out: &Output, look: Option<Look>) -> Infallible {
    if let Some(look) = look {
        match look.states().await {
            Ok(states) => out.note(format!("\n{}\n", states.table())),
            // The host's own log says more; the lattice is up all the same.
            Err(failure) => out.failure(&failure),
        }
    }
    std::future::pending().await
}

fn said(status: &std::io::Result<ExitStatus>) -> String {
    status.as_ref().map_or_else(ToString::to_string, ToString::to_string)
}

/// Stops the host; a second wish makes it quick.
async fn stop_host(out: &Output, mut host: HostProcess, signals: &mut Signals) {
    host.child.ask();
    let hurry = tokio::select! {
        _ = host.child.ended() => false,
        () = signals.wished() => true,
        () = tokio::time::sleep(HOST_PATIENCE) => true,
    };
    let patience = if hurry { HOST_HURRY } else { Duration::from_secs(1) };
    // Asked a second time if it did not end, which a host takes as: at once.
    if !host.child.stop(patience).await {
        out.note("the host did not stop in time and was killed");
    }
}
