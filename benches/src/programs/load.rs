//! Load: `lattice-bench load ADDRESS PATH CONNECTIONS SECONDS` asks over and over on kept connections and prints one JSON object.
//!
//! One thread and prewritten requests, so that most of the machine is left to the server that is measured. It stops by
//! itself, and only ever talks to a loopback address.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{Latencies, at_once};

/// No run is longer.
const SECONDS_MAX: u64 = 60;

pub(super) async fn run(args: &[String]) -> anyhow::Result<Value> {
    let [address, path, connections, seconds] = args else { bail!("four arguments are needed") };
    let address: SocketAddr = address.parse().context("the address is not IP:PORT")?;
    ensure!(address.ip().is_loopback(), "{address} is not on this machine");
    let connections: usize = connections.parse().context("the number of connections is no number")?;
    let seconds = seconds.parse::<u64>().context("the seconds are no number")?.min(SECONDS_MAX);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    // Connections and caches are warm before anything counts.
    let request = &request;
    let ask_all = |time| at_once(connections, move || ask(address, request.clone(), time));
    ask_all(Duration::from_millis(500)).await?;
    let began = Instant::now();
    let latencies = ask_all(Duration::from_secs(seconds)).await?;
    let summary = latencies.summary(began.elapsed());
    Ok(summary.json())
}

async fn ask(address: SocketAddr, request: String, time: Duration) -> anyhow::Result<Latencies> {
    let mut stream =
        TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    let (mut latencies, mut buffer) = (Latencies::default(), Vec::with_capacity(4096));
    let began = Instant::now();
    while began.elapsed() < time {
        let sent = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        buffer.clear();
        while !is_whole(&buffer)? {
            ensure!(stream.read_buf(&mut buffer).await? > 0, "the server closed the connection");
        }
        latencies.note(sent.elapsed());
    }
    Ok(latencies)
}

/// True when `answer` holds a whole response of status 200.
fn is_whole(answer: &[u8]) -> anyhow::Result<bool> {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(false) };
    ensure!(answer.starts_with(b"HTTP/1.1 200"), "not a 200: {}", String::from_utf8_lossy(answer));
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let body = &answer[head + 4..];
    match text.split("content-length:").nth(1).and_then(|rest| rest.split("\r\n").next()) {
        Some(length) => {
            Ok(body.len() >= length.trim().parse::<usize>().context("content-length is no number")?)
        }
        None => Ok(body.ends_with(b"0\r\n\r\n")),
    }
}
