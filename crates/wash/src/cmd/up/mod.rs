//! `wash up`: a NATS server, where none runs, and a host.

mod args;
mod nats;
mod reply;
mod supervise;
mod trust;

use crate::{
    failure::{Failure, Outcome},
    local::{HostOptions, HostProcess, HostProgram, Logs, Place},
    manifest,
    output::Output,
    signals::Signals,
};

pub(crate) use args::Args;
use reply::Up;

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    if let Some(file) = &args.manifest {
        // Read by the host anyway; read here first, so that nothing is started for a file with errors.
        manifest::load(out, file)?;
    }
    let place = Place::resolve(args.host.data_dir.as_deref())?;
    let trusted = trust::accounts(out, &args.host)?;
    let program = HostProgram::find(args.host.wasmcloud.as_deref()).await?;
    out.note(format!("wasmcloud {} ({})", program.version, program.program.display()));
    let mut signals = Signals::listen()?;
    let nats = nats::provide(out, &place, &args).await?;
    let options = HostOptions {
        lattice: args.lattice.to_string(),
        nats_url: nats.url().to_owned(),
        args: args.host_args(&trusted)?,
        env: args.host_env(),
        logs: if args.detached { Logs::File } else { Logs::Shown },
        detached: args.detached,
    };
    let host = match start(&program, &place, options, &mut signals).await {
        Ok(host) => host,
        Err(failure) => {
            nats.stop(out).await;
            return Err(failure);
        }
    };
    let reply = Up::new(&args, &program, &nats, &host, trusted);
    if args.detached {
        nats.leave();
        host.child.leave();
        return out.reply(&reply);
    }
    out.reply(&reply)?;
    supervise::until_stopped(out, host, nats, &mut signals).await
}

/// Starts the host and waits until it is ready, or somebody wants to stop.
async fn start(
    program: &HostProgram,
    place: &Place,
    options: HostOptions,
    signals: &mut Signals,
) -> Outcome<HostProcess> {
    let mut host = program.start(place, options)?;
    let ready = tokio::select! {
        ready = host.ready() => ready,
        () = signals.wished() => Err(interrupted()),
    };
    match ready {
        Ok(()) => Ok(host),
        Err(failure) => {
            host.child.stop(supervise::HOST_PATIENCE).await;
            Err(failure)
        }
    }
}

fn interrupted() -> Failure {
    Failure::say(crate::exit::Exit::Refused, "stopped before the host was ready")
}
