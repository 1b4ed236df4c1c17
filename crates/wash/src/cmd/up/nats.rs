//! Which NATS server: the one named, the one that answers already, or one of our own.

use std::time::Duration;

use super::Args;
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    local::{Found, NatsServer, Place, Port, probe},
    output::Output,
};

/// How long our server may take to stop.
const PATIENCE: Duration = Duration::from_secs(8);

/// The NATS server of this lattice.
#[derive(Debug)]
pub(super) enum Nats {
    /// Started here, and stopped here.
    Ours(Box<NatsServer>),
    /// Somebody else's.
    Theirs { url: String, version: Option<String> },
}

impl Nats {
    pub(super) fn url(&self) -> &str {
        match self {
            Nats::Ours(server) => &server.url,
            Nats::Theirs { url, .. } => url,
        }
    }

    pub(super) fn ours(&self) -> Option<&NatsServer> {
        match self {
            Nats::Ours(server) => Some(server),
            Nats::Theirs { .. } => None,
        }
    }

    pub(super) fn version(&self) -> Option<&str> {
        match self {
            Nats::Ours(server) => Some(&server.version),
            Nats::Theirs { version, .. } => version.as_deref(),
        }
    }

    /// Ends with how our server ended, if it does; never, where it is not ours. Cancel-safe.
    pub(super) async fn ended(&mut self) -> std::io::Result<std::process::ExitStatus> {
        match self {
            Nats::Ours(server) => server.child.ended().await,
            Nats::Theirs { .. } => std::future::pending().await,
        }
    }

    /// Stops it, if it is ours.
    pub(super) async fn stop(self, out: &Output) {
        if let Nats::Ours(server) = self
            && !server.child.stop(PATIENCE).await
        {
            out.note("nats-server did not stop in time and was killed");
        }
    }

    /// Leaves it running.
    pub(super) fn leave(self) {
        if let Nats::Ours(server) = self {
            server.child.leave();
        }
    }
}

/// Finds or starts the server.
pub(super) async fn provide(out: &Output, place: &Place, args: &Args) -> Outcome<Nats> {
    let port = args.nats.nats_port;
    let own = format!("127.0.0.1:{port}");
    if let Some(url) = &args.nats.nats_url {
        return join(out, args, url.clone(), address_of(url)).await;
    }
    if args.nats.nats_connect_only {
        return join(out, args, format!("nats://{own}"), Some(own)).await;
    }
    match probe(&own).await {
        Port::Nats(found) => {
            out.note(format!("NATS {} answers at {own} already, and is used", found.version));
            theirs(args, format!("nats://{own}"), found)
        }
        Port::Silent => {
            let text = format!("something listens on port {port} and says nothing, so it is no NATS server");
            let help = "see what it is with `ss -ltnp`, or choose another port with --nats-port PORT";
            Err(Failure::say(Exit::Refused, text).help(help))
        }
        Port::Taken => {
            let text = format!("port {port} is in use by something that is no NATS server");
            Err(Failure::say(Exit::Refused, text).help("choose another port with --nats-port PORT"))
        }
        Port::Free => {
            let (program, domain) = (args.nats.nats_server.as_deref(), args.nats.js_domain.as_deref());
            match NatsServer::start(out, place, port, program, domain, args.detached).await? {
                Ok(server) => {
                    out.note(format!("nats-server {} started at {own}", server.version));
                    Ok(Nats::Ours(Box::new(server)))
                }
                Err(found) => {
                    out.note(format!("another NATS {} was quicker at {own}, and is used", found.version));
                    theirs(args, format!("nats://{own}"), found)
                }
            }
        }
    }
}

/// Joins a server that must be there. One that cannot be asked in plain text is left to the host to connect to.
async fn join(out: &Output, args: &Args, url: String, address: Option<String>) -> Outcome<Nats> {
    let Some(address) = address else { return Ok(Nats::Theirs { url, version: None }) };
    match probe(&address).await {
        Port::Nats(found) => {
            out.note(format!("NATS {} at {address}", found.version));
            theirs(args, url, found)
        }
        Port::Free | Port::Taken | Port::Silent => {
            let text = format!("no NATS server answers at {address}");
            let help = "start one there, or leave out --nats-url and --nats-connect-only: `wash up` then starts its own";
            Err(Failure::say(Exit::Unreachable, text).help(help))
        }
    }
}

fn theirs(args: &Args, url: String, found: Found) -> Outcome<Nats> {
    // With a domain the state is kept elsewhere, behind a leaf connection of this server.
    if !found.jetstream && args.nats.js_domain.is_none() {
        let text = format!("the NATS server at {url} has no JetStream; the lattice keeps its state there");
        let help = "start it with `nats-server -js`, name the domain that has it with --js-domain, or let `wash up` start \
                    a server of its own on another --nats-port";
        return Err(Failure::say(Exit::Refused, text).help(help));
    }
    Ok(Nats::Theirs { url, version: Some(found.version) })
}

/// `host:port` of the first server of a URL that speaks in plain text.
fn address_of(url: &str) -> Option<String> {
    let first = url.split(',').next()?.trim();
    let rest = match first.split_once("://") {
        Some(("nats", rest)) => rest,
        Some(_) => return None,
        None => first,
    };
    let address = rest.rsplit_once('@').map_or(rest, |(_, address)| address).trim_end_matches('/');
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Some(if has_port { address.to_owned() } else { format!("{address}:4222") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_knock() {
        for (url, address) in [
            ("nats://broker:4223", Some("broker:4223")),
            ("broker", Some("broker:4222")),
            ("nats://anna:secret@broker/", Some("broker:4222")),
            ("nats://a:1,nats://b:2", Some("a:1")),
            ("nats://[::1]:4222", Some("[::1]:4222")),
            ("tls://broker:4222", None),
            ("wss://broker", None),
        ] {
            assert_eq!(address_of(url).as_deref(), address, "{url}");
        }
    }
}
