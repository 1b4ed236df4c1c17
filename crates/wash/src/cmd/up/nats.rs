//! Which NATS server: the one named, the one that answers already, or one of our own.

use std::{path::PathBuf, time::Duration};

use super::{
    Args,
    access::{self, Access},
};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    local::{Found, NatsServer, NatsWanted, Place, Port, probe, write_open_config},
    output::Output,
    own_nats::{OwnNats, ServerFolder, push},
};

/// How long our server may take to stop.
const PATIENCE: Duration = Duration::from_secs(8);

/// The NATS server of this lattice.
#[derive(Debug)]
pub(super) enum Nats {
    /// Started here, and stopped here.
    Ours(Box<NatsServer>),
    /// One that ran already.
    Theirs {
        url: String,
        version: Option<String>,
        /// Whether `wash up` started it earlier, or it is that of `--nats-dir`.
        own_folder: bool,
    },
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

    /// Whether its credentials lie in a folder of ours, or it has none and is ours.
    pub(super) fn is_of_own_folder(&self) -> bool {
        match self {
            Nats::Ours(_) => true,
            Nats::Theirs { own_folder, .. } => *own_folder,
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

/// How long a server that runs may take to hear of a new key.
const PUSH_WITHIN: Duration = Duration::from_secs(5);

/// Finds or starts the server, and says how to get in. A server that ran already hears of keys that are new.
pub(super) async fn provide(out: &Output, place: &Place, args: &mut Args) -> Outcome<(Nats, Access)> {
    let (nats, access) = find(out, place, args).await?;
    if let (Some(root), Nats::Theirs { url, .. }) = (&access.news, &nats) {
        let own = OwnNats::require(root)?;
        if let Err(failure) = push(&own, url, access.ca.clone(), PUSH_WITHIN).await {
            out.failure(&failure);
            let root = root.display();
            out.note(format!(
                "provider processes cannot log in until the server hears of their key: wash nats push {root}"
            ));
        }
    }
    Ok((nats, access))
}

async fn find(out: &Output, place: &Place, args: &mut Args) -> Outcome<(Nats, Access)> {
    if let Some(dir) = args.nats.nats_dir.clone() {
        let folder = ServerFolder::find(&dir)?;
        args.lattice.get_or_insert_with(|| folder.about.lattice.clone());
        return of_folder(out, place, args, &folder).await;
    }
    let args: &Args = args;
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
            at_our_port(place, args, &found)
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
        Port::Free => start(out, place, args).await,
    }
}

/// A server of our own, with credentials unless it shall have none.
async fn start(out: &Output, place: &Place, args: &Args) -> Outcome<(Nats, Access)> {
    let (port, domain) = (args.nats.nats_port, args.nats.js_domain.as_deref());
    let url = format!("nats://127.0.0.1:{port}");
    let (program, detached) = (args.nats.nats_server.as_deref(), args.detached);
    let (access, write): (Access, Box<dyn Fn() -> Outcome<PathBuf> + Sync>) = if args.nats.open {
        (Access::default(), Box::new(|| write_open_config(place, port, domain)))
    } else {
        let mut own = access::own(place, port)?;
        own.plan.domain = domain.map(str::to_owned);
        let access = Access::of_own(&own, &args.lattice())?;
        let write = move || {
            own.write_server()?;
            Ok(own.server().join("nats-server.conf"))
        };
        (access, Box::new(write))
    };
    let wanted = NatsWanted { program, detached, url, within: args.patience(), write: &*write };
    match NatsServer::start(out, place, port, wanted).await? {
        Ok(server) => {
            out.note(format!("nats-server {} started at 127.0.0.1:{port}", server.version));
            Ok((Nats::Ours(Box::new(server)), access))
        }
        Err(found) => {
            out.note(format!("another NATS {} was quicker at 127.0.0.1:{port}, and is used", found.version));
            at_our_port(place, args, &found)
        }
    }
}

/// The server that answers where ours would be: one that `wash up` started earlier, or somebody else's.
fn at_our_port(place: &Place, args: &Args, found: &Found) -> Outcome<(Nats, Access)> {
    let port = args.nats.nats_port;
    let url = format!("nats://127.0.0.1:{port}");
    if args.nats.open && found.auth_required {
        let text = format!("the NATS server at {url} asks for credentials, so it is not open");
        let help =
            "stop it with `wash down` first, leave --open out, or choose another port with --nats-port";
        return Err(Failure::say(Exit::Refused, text).help(help));
    }
    let own = match found.auth_required {
        true => OwnNats::open(&access::own_folder(place, port))?,
        false => None,
    };
    let access = match (&own, &args.nats.nats_credsfile) {
        (Some(own), _) => Access::of_own(own, &args.lattice())?,
        (None, None) if found.auth_required => {
            let text =
                format!("the NATS server at {url} asks for credentials, and was not started by `wash up`");
            let help = "give the credentials of a host there with --nats-creds FILE, or choose another port with --nats-port";
            return Err(Failure::say(Exit::Refused, text).help(help));
        }
        (None, _) => Access::default(),
    };
    Ok((theirs(args, url, found, own.is_some() || args.nats.open)?, access))
}

/// The server of a folder: started, or joined where it runs already.
async fn of_folder(
    out: &Output,
    place: &Place,
    args: &Args,
    folder: &ServerFolder,
) -> Outcome<(Nats, Access)> {
    let (port, url) = (folder.port()?, folder.about.url.clone());
    let access = Access::of_folder(folder, &args.lattice())?;
    let own = format!("127.0.0.1:{port}");
    match probe(&own).await {
        Port::Nats(found) => {
            out.note(format!("NATS {} answers at {own} already, and is used", found.version));
            return Ok((theirs(args, url, &found, true)?, access));
        }
        Port::Free => {}
        Port::Taken | Port::Silent => {
            let text = format!("port {port} is in use by something that is no NATS server");
            let help = "see what it is with `ss -ltnp`; the port stands in server.json and nats-server.conf";
            return Err(Failure::say(Exit::Refused, text).help(help));
        }
    }
    let write = || Ok(folder.config());
    let (program, detached) = (args.nats.nats_server.as_deref(), args.detached);
    let wanted = NatsWanted { program, detached, url: url.clone(), within: args.patience(), write: &write };
    match NatsServer::start(out, place, port, wanted).await? {
        Ok(server) => {
            out.note(format!("nats-server {} of {} started", server.version, folder.dir().display()));
            Ok((Nats::Ours(Box::new(server)), access))
        }
        Err(found) => Ok((theirs(args, url, &found, true)?, access)),
    }
}

/// Joins a server that must be there. One that cannot be asked in plain text is left to the host to connect to.
async fn join(out: &Output, args: &Args, url: String, address: Option<String>) -> Outcome<(Nats, Access)> {
    let Some(address) = address else {
        return Ok((Nats::Theirs { url, version: None, own_folder: false }, Access::default()));
    };
    match probe(&address).await {
        Port::Nats(found) => {
            out.note(format!("NATS {} at {address}", found.version));
            Ok((theirs(args, url, &found, false)?, Access::default()))
        }
        Port::Free | Port::Taken | Port::Silent => {
            let text = format!("no NATS server answers at {address}");
            let help = "start one there, or leave out --nats-url and --nats-connect-only: `wash up` then starts its own";
            Err(Failure::say(Exit::Unreachable, text).help(help))
        }
    }
}

fn theirs(args: &Args, url: String, found: &Found, own_folder: bool) -> Outcome<Nats> {
    if !found.auth_required && !args.nats.open {
        let text = format!(
            "the NATS server at {url} asks nobody for credentials, so whoever reaches it would steer the lattice"
        );
        let help = "use it all the same with --open, or let `wash up` start a closed one of its own on another --nats-port";
        return Err(Failure::say(Exit::Refused, text).help(help));
    }
    // With a domain the state is kept elsewhere, behind a leaf connection of this server.
    if !found.jetstream && args.nats.js_domain.is_none() {
        let text = format!("the NATS server at {url} has no JetStream; the lattice keeps its state there");
        let help = "start it with `nats-server -js`, name the domain that has it with --js-domain, or let `wash up` start \
                    a server of its own on another --nats-port";
        return Err(Failure::say(Exit::Refused, text).help(help));
    }
    Ok(Nats::Theirs { url, version: Some(found.version.clone()), own_folder })
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
