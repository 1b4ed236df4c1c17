//! The running lattice: `wash up` as a child, until it is to stop.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use lattice_testkit::{Http, Launch, Process, free_port, until, workspace_root};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::actors;
use super::contexts::Contexts;
use super::hold::Hold;
use crate::say;

const ANSWER_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(20);
const CLOSED_WITHIN: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The actors of the manifest with the paths they answer at.
const ROUTES: [(&str, &str); 3] = [("hello", "/hello"), ("echo", "/echo"), ("kvcounter", "/counter")];
const USUAL_HTTP_PORT: u16 = 8080;
/// Where `wash` looks for NATS when nobody says otherwise.
const USUAL_NATS_PORT: u16 = 4222;

/// The folder of the quickstart that people run.
pub(super) fn folder() -> PathBuf {
    workspace_root().join(".lattice/quickstart")
}

/// Where the lattice keeps its data and on which ports it listens.
pub(crate) struct Place {
    data_dir: PathBuf,
    nats_port: u16,
    http_port: u16,
    /// Held for the life of the process: no other one uses this folder meanwhile.
    _hold: Option<Hold>,
    temporary: Option<TempDir>,
}

impl Place {
    /// For people, who hold the folder: the usual ports, or free ones where those are taken. For a check: all of its own.
    /// Either way its NATS server is nobody else's, so that whatever runs here is neither met nor disturbed.
    pub(super) fn choose(held: Option<Hold>) -> anyhow::Result<Self> {
        let Some(mut hold) = held else {
            let temporary = tempfile::tempdir().context("cannot make a temporary folder")?;
            let data_dir = temporary.path().to_owned();
            let (nats_port, http_port) = (free_port()?, free_port()?);
            return Ok(Self { data_dir, nats_port, http_port, _hold: None, temporary: Some(temporary) });
        };
        let nats_port = usual_or_free("NATS", wanted_nats_port())?;
        let http_port = usual_or_free("HTTP", USUAL_HTTP_PORT)?;
        let place = Self { data_dir: folder(), nats_port, http_port, _hold: None, temporary: None };
        hold.tell(&place.urls())?;
        Ok(Self { _hold: Some(hold), ..place })
    }

    /// What `wash` has to be told to find this lattice; nothing where it looks by itself.
    pub(crate) fn unusual_nats_port(&self) -> Option<u16> {
        Some(self.nats_port).filter(|port| *port != USUAL_NATS_PORT)
    }

    /// What the manifest has to be told to keep the actors where they are; nothing where it says so itself.
    pub(super) fn unusual_http_address(&self) -> Option<String> {
        (self.http_port != USUAL_HTTP_PORT).then(|| self.http_address())
    }

    fn http_address(&self) -> String {
        format!("127.0.0.1:{}", self.http_port)
    }

    /// The ports that nobody else can be listening on.
    fn own_ports(&self) -> [u16; 2] {
        [self.nats_port, self.http_port]
    }

    /// Each actor with the URL it answers at.
    pub(crate) fn urls(&self) -> Vec<(&'static str, String)> {
        let url = |path: &str| format!("http://127.0.0.1:{}{path}", self.http_port);
        ROUTES.iter().map(|(actor, path)| (*actor, url(path))).collect()
    }

    /// The URL of one actor.
    pub(crate) fn url(&self, actor: &str) -> anyhow::Result<String> {
        let found = self.urls().into_iter().find(|(name, _)| *name == actor);
        found.map(|(_, url)| url).with_context(|| format!("the quickstart has no actor {actor}"))
    }
}

async fn is_closed(port: u16) -> Option<()> {
    TcpStream::connect(("127.0.0.1", port)).await.is_err().then_some(())
}

fn usual_or_free(what: &str, usual: u16) -> anyhow::Result<u16> {
    if TcpListener::bind(("127.0.0.1", usual)).is_ok() {
        return Ok(usual);
    }
    let free = free_port()?;
    say::line(&format!("  port {usual} is taken, so {what} is on port {free} instead"));
    Ok(free)
}

/// Where the environment wants NATS, as `wash` reads it, else where NATS usually is.
fn wanted_nats_port() -> u16 {
    let wanted = std::env::var("WASMCLOUD_NATS_PORT").ok().and_then(|port| port.parse().ok());
    wanted.unwrap_or(USUAL_NATS_PORT)
}

/// A lattice whose actors answer. Dropping it stops it.
pub(crate) struct Lattice {
    process: Process,
    /// What `wash` meant before this was started.
    before: Option<Contexts>,
}

/// Starts it and waits until every actor answers.
pub(crate) async fn start(place: &Place, nats_server: &Path, account: &str) -> anyhow::Result<Lattice> {
    say::line("- starting the lattice (wash up) …");
    let started = Instant::now();
    let manifest = workspace_root().join("manifests/quickstart.yaml");
    let mut launch = Launch::binary("wash")?.arg("up").arg("--nats-server").arg(nats_server);
    launch = launch.arg("--data-dir").arg(&place.data_dir).arg("-m").arg(manifest);
    launch = launch.args(["--nats-port", &place.nats_port.to_string()]);
    if place.temporary.is_some() {
        // A check must not become what the user's own commands mean.
        launch = launch.env("WASH_CONTEXTS", place.data_dir.join("contexts"));
    }
    launch = launch.env("WASH_KEYS", actors::keys_dir()).env("WASMCLOUD_TRUST", account);
    launch = launch.env("QUICKSTART_ADDRESS", place.http_address());
    let before = place.temporary.is_none().then(Contexts::now).transpose()?;
    let process = launch.log(place.data_dir.join("wash-up.log")).start().await?;
    let mut lattice = Lattice { process, before };
    for (actor, url) in place.urls() {
        lattice.until_answered(actor, &url).await?;
    }
    say::line(&format!("  {} actors answer ({})", ROUTES.len(), say::seconds(started.elapsed())));
    Ok(lattice)
}

impl Lattice {
    async fn until_answered(&mut self, actor: &str, url: &str) -> anyhow::Result<()> {
        let (http, end) = (Http::new(), Instant::now() + ANSWER_WITHIN);
        loop {
            let last = match http.get(url).await {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) => format!("{} {}", answer.status, answer.text().trim()),
                Err(error) => error.to_string(),
            };
            if let Some(status) = self.process.exited() {
                bail!("`wash up` ended ({status}) before {actor} answered:\n{}", self.process.output());
            }
            if Instant::now() >= end {
                bail!("{actor} does not answer: {last}\n`wash up` said:\n{}", self.process.output());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns when the lattice has ended by itself, which is an error.
    pub(crate) async fn until_ended(&mut self) -> anyhow::Result<()> {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            look.tick().await;
            if let Some(status) = self.process.exited() {
                bail!("`wash up` ended ({status}):\n{}", self.process.output());
            }
        }
    }

    /// Stops all of it, and waits until nothing listens any more.
    pub(crate) async fn stop(mut self, place: &Place) -> anyhow::Result<()> {
        if self.process.exited().is_some() {
            return Ok(());
        }
        say::line("- stopping …");
        let started = Instant::now();
        let stopped = self.process.stop(STOP_WITHIN).await;
        if let Some(before) = self.before.take() {
            before.restore()?;
        }
        // Whatever of its group is left ends with the guard.
        drop(self);
        stopped.context("`wash up` did not stop by itself, so it was killed")?;
        for port in place.own_ports() {
            until(&format!("port {port} closed"), CLOSED_WITHIN, || is_closed(port)).await?;
        }
        say::line(&format!("  nothing is left running ({})", say::seconds(started.elapsed())));
        Ok(())
    }
}

/// The wishes that all of it stop: Ctrl-C, SIGTERM, a closed terminal.
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl StopSignals {
    /// From now on these signals no longer end us at once.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot wait for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Returns at the first of them. Cancel-safe.
    pub(crate) async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
