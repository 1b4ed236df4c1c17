//! What it costs that a lattice is closed: the same calls on a NATS that asks for credentials and holds everybody to permissions, and
//! on one that does neither, turn by turn; at first, and after both were called for five minutes without a pause.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, ensure};
use lattice_testkit::{Launch, NatsOptions, NatsServer, Process, actor_file, free_port};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    hosts::{BenchHost, Broker, caller_of, nats_init, wash},
    report::Row,
    servers,
};

/// The actor that is called.
const TARGET: &str = "reuse";
/// Calls at once in the rows about rates.
const MANY: &str = "64";
/// Short turns and many, since the gates are closer together than a busy machine's figures of one minute and the next: each turn of
/// one side is compared with that of the other right beside it.
/// An odd number, so that the median is one of them.
const TURNS: usize = 21;
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
    Ok((rows, json!({ "at_first": at_first, "later": later })))
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
async fn turns(sides: &[Side; 2]) -> anyhow::Result<Vec<Value>> {
    let [open, closed] = sides;
    let mut turns = Vec::new();
    for round in 1..=TURNS {
        let order = if round % 2 == 0 { [open, closed] } else { [closed, open] };
        for in_flight in ["1", MANY] {
            for side in order {
                let summary = side.call(in_flight, TURN_SECONDS).await?;
                turns.push(
                    json!({ "round": round, "side": side.name, "in_flight": in_flight, "summary": summary }),
                );
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

/// Closed against open, each the median of its turns: half of the calls at most 3 % slower, the rate at most 10 % lower. The ratios
/// are medians, too: of those of two turns beside each other.
fn compare(turns: &[Value], [p50, rate]: [&'static str; 2]) -> anyhow::Result<Vec<Row>> {
    let all = |side: &str, in_flight: &str, figure: &str| -> anyhow::Result<Vec<f64>> {
        let of_side = turns.iter().filter(|turn| turn["side"] == side && turn["in_flight"] == in_flight);
        let figure_of = |turn: &Value| {
            turn["summary"][figure].as_f64().with_context(|| format!("a turn without {figure}: {turn}"))
        };
        of_side.map(figure_of).collect()
    };
    let row = |name, in_flight, figure, unit, gate, ratio: fn(f64, f64) -> f64| {
        let (closed, open) = (all("closed", in_flight, figure)?, all("open", in_flight, figure)?);
        ensure!(closed.len() == open.len(), "{name}: not as many turns of one side as of the other");
        let ratios = closed.iter().zip(&open).map(|(closed, open)| ratio(*closed, *open)).collect();
        let [figure, limit, ratio] = [closed, open, ratios].map(median);
        let nothing = || format!("{name}: nothing was measured");
        anyhow::Ok(Row {
            name,
            figure: figure.with_context(nothing)?,
            limit: limit.with_context(nothing)?,
            unit,
            ratio: ratio.with_context(nothing)?,
            gate: Some(gate),
            goal: None,
        })
    };
    Ok(vec![
        row(p50, "1", "p50_us", "µs", 1.0 / 1.03, |closed, open| open / closed)?,
        row(rate, MANY, "rate", "calls/s", 0.9, |closed, open| closed / open)?,
    ])
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_compared_with_the_one_beside_it() {
        // A machine that is twice as slow in every other round, and permissions that cost nothing.
        let turn = |round: u64, side: &str, in_flight: &str| {
            let slow = (round % 2 + 1) as f64;
            json!({ "round": round, "side": side, "in_flight": in_flight, "summary": { "p50_us": 100.0 * slow, "rate": 9000.0 / slow } })
        };
        let both = |round| ["closed", "open"].map(|side| ["1", MANY].map(|many| turn(round, side, many)));
        let turns: Vec<Value> = (1..=3).flat_map(both).flatten().collect();
        let rows = compare(&turns, ["p50", "rate"]).unwrap();
        let said: Vec<_> = rows.iter().map(|row| (row.name, row.figure, row.ratio)).collect();
        assert_eq!(said, [("p50", 200.0, 1.0), ("rate", 4500.0, 1.0)]);
        assert!(
            compare(&[], ["p50", "rate"])
                .is_err_and(|error| error.to_string() == "p50: nothing was measured")
        );
    }
}
