//! HTTP hello: the host, fresh and reusing, against hyper alone, turn by turn.

use std::{net::SocketAddr, path::Path};

use anyhow::Context;
use serde_json::{Value, json};

use super::{CONNECTIONS, ROUNDS, SECONDS, report::Row, servers};

/// The rows, and every single measurement.
pub(super) async fn measure(nats_server: &Path) -> anyhow::Result<(Vec<Row>, Value)> {
    let _nats = servers::nats(nats_server).await?;
    let (_host, host) = servers::host(&_nats).await?;
    let (_hyper, hyper) = servers::hyper().await?;
    let (_least, least) = servers::least().await?;
    let mut raw: Vec<Value> = Vec::new();
    for round in 1..=ROUNDS {
        for (name, address, path) in [
            ("hyper", hyper, "/"),
            ("fresh", host, "/fresh"),
            ("reuse", host, "/reuse"),
            ("least, fresh", least, "/fresh"),
            ("least, reuse", least, "/reuse"),
        ] {
            let summary = load(address, path).await?;
            raw.push(json!({ "round": round, "server": name, "summary": summary }));
        }
    }
    let row = |name, (ours, limit): (&str, &str), gate, goal| {
        let (figure, limit) = (median(&raw, ours)?, median(&raw, limit)?);
        anyhow::Ok(Row { name, figure, limit, unit: "req/s", ratio: figure / limit, gate, goal })
    };
    let rows = vec![
        row("HTTP hello, fresh instances", ("fresh", "hyper"), Some(0.38), Some(0.50))?,
        row("HTTP hello, reuse: 128", ("reuse", "hyper"), Some(0.60), Some(0.80))?,
        row("the first against the least with a guest", ("fresh", "least, fresh"), None, None)?,
        row("the second against the least with a guest", ("reuse", "least, reuse"), None, None)?,
    ];
    Ok((rows, Value::Array(raw)))
}

async fn load(address: SocketAddr, path: &str) -> anyhow::Result<Value> {
    let args = [address.to_string(), path.to_owned(), CONNECTIONS.to_string(), SECONDS.to_string()];
    servers::output("load", &args).await
}

fn median(raw: &[Value], server: &str) -> anyhow::Result<f64> {
    let of_server = raw.iter().filter(|row| row["server"] == server);
    let mut rates: Vec<f64> = of_server.filter_map(|row| row["summary"]["rate"].as_f64()).collect();
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().with_context(|| format!("nothing was measured of {server}"))
}
