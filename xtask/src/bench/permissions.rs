//! What it costs that a lattice is closed: the same calls on a NATS that asks for credentials and holds everybody to permissions, and
//! on one that does neither, turn by turn; at first, and after both were called for five minutes without a pause.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::Context as _;
use lattice_testkit::{Launch, NatsOptions, NatsServer, Process, actor_file, free_port};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    hosts::{BenchHost, Broker, caller_of, nats_init, wash},
    report::Row,
    servers,
    turns::{Figure, Turns},
};

/// The actor that is called.
const TARGET: &str = "reuse";
/// Calls at once in the rows about rates.
const MANY: &str = "64";
/// Short turns and many, since the gates are closer together than a busy machine's figures of one minute and the next: each turn of
/// one side is compared with that of the other right beside it.
/// An odd number, so that the median is one of them.
const TURNS: usize = 41;
const TURN_SECONDS: &str = "1";
/// How often both are called for a minute at the same time, before the second measurement.
const MINUTES: usize = 5;
const MINUTE: &str = "60";
const SOON: Duration = Duration::from_secs(30);

/// One NATS with one host that runs one actor.
struct Side {
    name: &'static str,
    broker: Broker,
    host: BenchHost,
}

/// A NATS server that is held to what `wash nats init` writes.
struct Closed {
    broker: Broker,
    _server: Process,
    _folder: TempDir,
}

/// The rows, and every single measurement.
pub(super) async fn measure(nats_server: &Path) -> anyhow::Result<(Vec<Row>, Value)> {
    let (open, _store) = open(nats_server).await?;
    let closed = Closed::start(nats_server).await?;
    let Closed { broker, _server, _folder } = closed;
    let sides = [Side::start("open", Broker::open(&open)).await?, Side::start("closed", broker).await?];
    let at_first = turns(&sides).await?;
    load(&sides).await?;
    let later = turns(&sides).await?;
    let mut rows = compare(&at_first, ["closed against open lattice, p50", "the same, 64 in flight"])?;
    rows.extend(compare(&later, ["after five minutes of load, p50", "the same, 64 in flight"])?);
    Ok((rows, json!({ "at_first": at_first.raw(), "later": later.raw() })))
}

/// A NATS that asks nobody, and is the closed one's like in all else: in a domain a server looks at the subject of each message once more.
async fn open(nats_server: &Path) -> anyhow::Result<(NatsServer, TempDir)> {
    let store = tempfile::tempdir().context("cannot make a temporary folder")?;
    let config = format!(
        "jetstream {{ store_dir: {:?}, max_mem: 256M, max_file: 4G, domain: \"hub\" }}\n",
        store.path()
    );
    let program = Some(nats_server.to_owned());
    let options = NatsOptions { program, jetstream: false, config };
    Ok((NatsServer::start_with(options).await?, store))
}

impl Closed {
    async fn start(nats_server: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let (dir, listen) = (folder.path().join("nats"), SocketAddr::from(([127, 0, 0, 1], free_port()?)));
        nats_init(&dir, listen, &[caller_of(TARGET)]).await?;
        let launch = Launch::program(nats_server).args(["-c", "nats-server.conf"]).dir(dir.join("server"));
        let server = launch.ready("Server is ready", SOON).start().await?;
        let broker = Broker { url: format!("nats://{listen}"), users: Some(dir.join("users")) };
        Ok(Self { broker, _server: server, _folder: folder })
    }
}

impl Side {
    async fn start(name: &'static str, broker: Broker) -> anyhow::Result<Self> {
        let host = BenchHost::start(&broker).await?;
        let actor = actor_file("calculator")?.display().to_string();
        let start = ["start", "actor", &actor, TARGET, "--reuse", "1000000", "--host-id", &host.id];
        wash(&broker, &start).await?;
        wash(&broker, &["link", "put", &caller_of(TARGET), TARGET, "demo:calls"]).await?;
        Ok(Self { name, broker, host })
    }

    async fn call(&self, in_flight: &str, seconds: &str) -> anyhow::Result<Value> {
        let source = caller_of(TARGET);
        let creds = self.broker.creds(&source).map(|file| file.display().to_string());
        let args = [&self.broker.url, &source, &self.host.id, TARGET, in_flight, seconds].map(str::to_owned);
        servers::output("lattice-caller", &args.into_iter().chain(creds).collect::<Vec<_>>()).await
    }
}

/// Both sides in turn, many times; each is first in every other.
async fn turns(sides: &[Side; 2]) -> anyhow::Result<Turns> {
    let [open, closed] = sides;
    let mut turns = Turns::default();
    for round in 1..=TURNS {
        let order = if round % 2 == 0 { [open, closed] } else { [closed, open] };
        for in_flight in ["1", MANY] {
            for side in order {
                let summary = side.call(in_flight, TURN_SECONDS).await?;
                turns.note(round, side.name, in_flight, &summary)?;
            }
        }
    }
    Ok(turns)
}

/// Calls on both sides at the same time, so that both grow equally old.
async fn load(sides: &[Side; 2]) -> anyhow::Result<()> {
    for _ in 0..MINUTES {
        tokio::try_join!(sides[0].call(MANY, MINUTE), sides[1].call(MANY, MINUTE))?;
    }
    Ok(())
}

/// Closed against open: half of the calls at most 3 % slower, the rate at most 10 % lower.
fn compare(turns: &Turns, [p50, rate]: [&'static str; 2]) -> anyhow::Result<Vec<Row>> {
    let sides = ["closed", "open"];
    Ok(vec![
        turns.row(p50, sides, "1", (Figure::P50, "µs"))?.gate(1.0 / 1.03),
        turns.row(rate, sides, MANY, (Figure::Rate, "calls/s"))?.gate(0.9),
    ])
}
