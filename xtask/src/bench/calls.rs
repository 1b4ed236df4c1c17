//! Calls between two hosts over NATS, and HTTP that way, against what NATS and the engine can do at all.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context, ensure};
use lattice_testkit::{NatsServer, Process};
use serde_json::{Value, json};

use super::{
    CONNECTIONS, ROUNDS, SECONDS,
    hosts::{BODY_PATH, BenchHost, Pair, caller_of},
    report::Row,
    servers,
    turns::{Figure, Turns},
};

/// Calls at once in the rows about rates.
const MANY: &str = "64";
/// Calls of the row about losses.
const CALLS: u64 = 100_000;
/// Calls of the row about messages.
const COUNTED_CALLS: u64 = 1_000;
/// The body that goes through both hosts.
const BODY_MEBIBYTES: u64 = 1024;

/// What is asked over and over: who asks, and whom.
struct Asked {
    name: &'static str,
    program: &'static str,
    args: Vec<String>,
}

/// The rows, and every single measurement.
pub(super) async fn measure(nats_server: &Path) -> anyhow::Result<(Vec<Row>, Value)> {
    let nats = servers::nats(nats_server).await?;
    let pair = Pair::start(&nats).await?;
    let (_limits, http_limit) = limits(&nats).await?;
    let url = nats.url();
    let raw = |subject: &str| vec![url.clone(), subject.to_owned()];
    let lattice = |target: &str| caller(&url, &pair.second, target, &[]);
    // What is compared stands beside each other; who is first takes turns.
    let mut asked = [
        Asked { name: "nats", program: "nats-caller", args: raw("limit.echo") },
        Asked { name: "reuse", program: "lattice-caller", args: lattice("reuse") },
        Asked { name: "nats and instance", program: "nats-caller", args: raw("limit.add") },
        Asked { name: "fresh", program: "lattice-caller", args: lattice("fresh") },
    ];
    let mut turns = Turns::default();
    for round in 1..=ROUNDS {
        asked.reverse();
        for in_flight in ["1", MANY] {
            for asked in &asked {
                let args = [asked.args.clone(), vec![in_flight.to_owned(), SECONDS.to_string()]].concat();
                turns.note(round, asked.name, in_flight, &servers::output(asked.program, &args).await?)?;
            }
        }
        for (name, address) in [("http limit", http_limit), ("http", pair.http)] {
            let args = [address.to_string(), "/".into(), CONNECTIONS.to_string(), SECONDS.to_string()];
            turns.note(round, name, &CONNECTIONS.to_string(), &servers::output("load", &args).await?)?;
        }
    }
    let mut rows = compare(&turns)?;
    let (row, messages) = messages(&url, &pair.second).await?;
    rows.push(row);
    let (row, losses) = losses(&url, &pair.second).await?;
    rows.push(row);
    let body = body(&pair).await?;
    Ok((rows, json!({ "turns": turns.raw(), "messages": messages, "losses": losses, "body": body })))
}

/// Arguments of the programs that call `target` on `host`, and how much of it.
fn caller(url: &str, host: &BenchHost, target: &str, much: &[&str]) -> Vec<String> {
    let whom = [url.to_owned(), caller_of(target), host.id.clone(), target.to_owned()];
    whom.into_iter().chain(much.iter().map(|&word| word.to_owned())).collect()
}

/// Messages that cross NATS for one call: one there, one back.
async fn messages(url: &str, host: &BenchHost) -> anyhow::Result<(Row, Value)> {
    let args = caller(url, host, "reuse", &[&COUNTED_CALLS.to_string()]);
    let raw = servers::output("messages", &args).await?;
    let figure = raw["per_call"].as_f64().context("messages were not counted")?;
    let limit = 2.0;
    let (name, ratio) = ("messages per call", limit / figure);
    Ok((Row { name, figure, limit, unit: "messages", ratio, gate: Some(1.0), goal: Some(1.0) }, raw))
}

/// A large body through both hosts and back, and the most memory that each of them held.
async fn body(pair: &Pair) -> anyhow::Result<Value> {
    let args = [pair.http.to_string(), BODY_PATH.to_owned(), BODY_MEBIBYTES.to_string()];
    let mut raw = servers::output("body", &args).await?;
    for (name, host) in [("first_host_peak_kib", &pair.first), ("second_host_peak_kib", &pair.second)] {
        raw[name] = json!(host.peak_kib()?);
    }
    Ok(raw)
}

/// The limit programs, and where the HTTP one listens.
async fn limits(nats: &NatsServer) -> anyhow::Result<(Vec<Process>, SocketAddr)> {
    let echo = servers::responder(nats, "limit.echo", "echo", None).await?;
    let add = servers::responder(nats, "limit.add", "add", Some("calculator")).await?;
    let http = servers::responder(nats, "limit.http", "http", Some("hello")).await?;
    let (front, address) = servers::http_over_nats(nats, "limit.http").await?;
    Ok((vec![echo, add, http, front], address))
}

fn compare(turns: &Turns) -> anyhow::Result<Vec<Row>> {
    // Gates of times are written as multiples of the limit: 1.15 times is a ratio of 1 / 1.15.
    let p50 = |name, who, gate: f64, goal: f64| {
        anyhow::Ok(turns.row(name, who, "1", (Figure::P50, "µs"))?.gate(1.0 / gate).goal(1.0 / goal))
    };
    let rate = |name, who, in_flight: &str, unit, gate, goal| {
        anyhow::Ok(turns.row(name, who, in_flight, (Figure::Rate, unit))?.gate(gate).goal(goal))
    };
    let connections = CONNECTIONS.to_string();
    Ok(vec![
        p50("call to another host, fresh, p50", ["fresh", "nats and instance"], 1.15, 1.05)?,
        rate("the same, 64 in flight", ["fresh", "nats and instance"], MANY, "calls/s", 0.8, 0.95)?,
        p50("call to another host, reused, p50", ["reuse", "nats"], 1.3, 1.15)?,
        rate("the same, 64 in flight", ["reuse", "nats"], MANY, "calls/s", 0.5, 0.7)?,
        rate("HTTP over the lattice", ["http", "http limit"], &connections, "req/s", 0.75, 0.95)?,
    ])
}

/// A hundred thousand calls: how many were not answered.
async fn losses(url: &str, host: &BenchHost) -> anyhow::Result<(Row, Value)> {
    let args = caller(url, host, "fresh", &[MANY, &format!("{CALLS}x")]);
    let raw = servers::output("lattice-caller", &args).await?;
    let answered = raw["calls"].as_u64().context("calls were not counted")?;
    let failed = raw["failed"].as_u64().context("failures were not counted")?;
    ensure!(answered + failed == CALLS, "{answered} and {failed} calls are not {CALLS}");
    #[expect(clippy::cast_precision_loss, reason = "a hundred thousand is exact")]
    let (figure, limit) = (answered as f64, CALLS as f64);
    let ratio = figure / limit;
    let name = "calls answered of 100,000";
    Ok((Row { name, figure, limit, unit: "calls", ratio, gate: Some(1.0), goal: Some(1.0) }, raw))
}
