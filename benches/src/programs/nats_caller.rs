//! Calls over NATS: `lattice-bench nats-caller URL SUBJECT IN_FLIGHT SECONDS` asks over and over, as many at once as told, and prints one
//! JSON object. It stops by itself.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use serde_json::Value;

use crate::{Latencies, at_once};

/// No run is longer.
const SECONDS_MAX: u64 = 60;
const IN_FLIGHT_MAX: usize = 1024;
/// What runs before anything counts.
const WARM_UP: Duration = Duration::from_millis(500);

pub(super) async fn run(args: &[String]) -> anyhow::Result<Value> {
    let [url, subject, in_flight, seconds] = args else { bail!("four arguments are needed") };
    ensure!(url.starts_with("nats://127.0.0.1:"), "{url} is not on this machine");
    let in_flight = in_flight.parse::<usize>().context("IN_FLIGHT is no number")?.clamp(1, IN_FLIGHT_MAX);
    let seconds = seconds.parse::<u64>().context("SECONDS is no number")?.min(SECONDS_MAX);
    let client =
        async_nats::connect(url.as_str()).await.with_context(|| format!("cannot connect to {url}"))?;
    let client = &client;
    let ask_all = |time| at_once(in_flight, move || ask(client.clone(), subject.clone(), time));
    ask_all(WARM_UP).await?;
    let began = Instant::now();
    let latencies = ask_all(Duration::from_secs(seconds)).await?;
    let summary = latencies.summary(began.elapsed());
    Ok(summary.json())
}

async fn ask(client: async_nats::Client, subject: String, time: Duration) -> anyhow::Result<Latencies> {
    let payload = Bytes::from_static(&[2, 0, 0, 0, 3, 0, 0, 0]);
    let mut latencies = Latencies::default();
    let began = Instant::now();
    while began.elapsed() < time {
        let sent = Instant::now();
        client.request(subject.clone(), payload.clone()).await.context("no answer")?;
        latencies.note(sent.elapsed());
    }
    Ok(latencies)
}
