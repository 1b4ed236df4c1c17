//! HTTP hello: the host, fresh and reusing, against hyper alone, turn by turn.

use std::{net::SocketAddr, path::Path};

use serde_json::Value;

use super::{
    CONNECTIONS, ROUNDS, SECONDS,
    report::Row,
    servers,
    turns::{Figure, Turns},
};

/// The rows, and every single measurement.
pub(super) async fn measure(nats_server: &Path) -> anyhow::Result<(Vec<Row>, Value)> {
    let _nats = servers::nats(nats_server).await?;
    let (_host, host) = servers::host(&_nats).await?;
    let (_hyper, hyper) = servers::hyper().await?;
    let (_least, least) = servers::least().await?;
    let (mut turns, in_flight) = (Turns::default(), CONNECTIONS.to_string());
    for round in 1..=ROUNDS {
        let mut servers = [
            ("least, fresh", least, "/fresh"),
            ("fresh", host, "/fresh"),
            ("hyper", hyper, "/"),
            ("reuse", host, "/reuse"),
            ("least, reuse", least, "/reuse"),
        ];
        if round % 2 == 0 {
            servers.reverse();
        }
        for (name, address, path) in servers {
            turns.note(round, name, &in_flight, &load(address, path).await?)?;
        }
    }
    let row = |name, who| turns.row(name, who, &in_flight, (Figure::Rate, "req/s"));
    let rows = vec![
        row("HTTP hello, fresh instances", ["fresh", "hyper"])?.gate(0.38).goal(0.50),
        row("HTTP hello, reuse: 128", ["reuse", "hyper"])?.gate(0.60).goal(0.80),
        row("the first against the least with a guest", ["fresh", "least, fresh"])?,
        row("the second against the least with a guest", ["reuse", "least, reuse"])?,
    ];
    Ok((rows, turns.raw()))
}

async fn load(address: SocketAddr, path: &str) -> anyhow::Result<Value> {
    let args = [address.to_string(), path.to_owned(), CONNECTIONS.to_string(), SECONDS.to_string()];
    servers::output("load", &args).await
}
