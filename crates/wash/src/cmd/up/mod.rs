//! `wash up`: a NATS server, where none runs, and a host.

mod access;
mod args;
mod nats;
mod reply;
mod states;
mod supervise;
mod trust;

use std::time::Duration;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    local::{HostOptions, HostProcess, HostProgram, Living, Logs, Place},
    manifest,
    output::Output,
    signals::Signals,
};

pub(crate) use args::Args;
use reply::Up;
use states::Look;

pub(crate) async fn run(mut args: Args, out: &Output) -> Outcome {
    // Read by the host anyway; read here first, so that nothing is started for a file with errors.
    let manifest = args.manifest.as_deref().map(|file| manifest::load(out, file)).transpose()?;
    let place = Place::resolve(args.host.data_dir.as_deref())?;
    let trusted = trust::accounts(out, &args.host)?;
    let program = HostProgram::find(args.host.wasmcloud.as_deref()).await?;
    out.note(format!("wasmcloud {} ({})", program.version, program.program.display()));
    let mut signals = Signals::listen()?;
    let (nats, access) = nats::provide(out, &place, &mut args).await?;
    let options = HostOptions {
        lattice: args.lattice().to_string(),
        nats_url: nats.url().to_owned(),
        args: args.host_args(&trusted)?,
        env: args.host_env(&access),
        logs: if args.detached { Logs::File } else { Logs::Shown },
        detached: args.detached,
    };
    let host = match start(&program, &place, options, args.patience(), &mut signals).await {
        Ok(host) => host,
        Err(failure) => {
            nats.stop(out).await;
            return Err(failure);
        }
    };
    let mut reply = Up::new(&args, &program, &nats, &host, trusted);
    if nats.is_of_own_folder() {
        reply.context = access::save_context(out, &args, nats.url(), &access);
    }
    let look = manifest.map(|manifest| Look::new(&args, &nats, &access, &host, manifest));
    if args.detached {
        nats.leave();
        host.child.leave();
        return in_the_background(out, reply, look).await;
    }
    out.reply(&reply)?;
    let ended = supervise::until_stopped(out, host, nats, look, &mut signals).await;
    // Looking clears away the records of what is gone; what cannot be cleared now is at the next look.
    let _ = Living::all(&place.up());
    ended
}

/// Tells how the manifest's parts fare; the lattice stays up, whatever that is.
async fn in_the_background(out: &Output, mut reply: Up, look: Option<Look>) -> Outcome {
    let Some(look) = look else { return out.reply(&reply) };
    let progress = out.progress("waiting until all is settled");
    let states = look.states().await?;
    drop(progress);
    let failures = states.failures();
    reply.states = Some(states);
    if failures.is_empty() {
        return out.reply(&reply);
    }
    let text = format!("the lattice is up, but not all of it works:\n{}", failures.join("\n"));
    Err(Failure::say(Exit::Refused, text).help(format!("it keeps running; stop it with: {}", reply.kill_cmd)))
}

/// Starts the host and waits until it is ready, or somebody wants to stop.
async fn start(
    program: &HostProgram,
    place: &Place,
    options: HostOptions,
    within: Duration,
    signals: &mut Signals,
) -> Outcome<HostProcess> {
    let mut host = program.start(place, options)?;
    let ready = tokio::select! {
        ready = host.ready(within) => ready,
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
    Failure::say(Exit::Refused, "stopped before the host was ready")
}
