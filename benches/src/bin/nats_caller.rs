//! Calls over NATS: `bench-nats-caller URL SUBJECT IN_FLIGHT SECONDS` asks over and over, as many at once as told, and prints one
//! JSON object. It stops by itself.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use lattice_bench::Latencies;
use serde_json::json;
use tokio::task::JoinSet;

/// No run is longer.
const SECONDS_MAX: u64 = 60;
const IN_FLIGHT_MAX: usize = 1024;
/// What runs before anything counts.
const WARM_UP: Duration = Duration::from_millis(500);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args).await {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!(
                "error: {error:#}\nusage: bench-nats-caller nats://127.0.0.1:PORT SUBJECT IN_FLIGHT SECONDS"
            );
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &[String]) -> anyhow::Result<String> {
    let [url, subject, in_flight, seconds] = args else { bail!("four arguments are needed") };
    ensure!(url.starts_with("nats://127.0.0.1:"), "{url} is not on this machine");
    let in_flight = in_flight.parse::<usize>().context("IN_FLIGHT is no number")?.clamp(1, IN_FLIGHT_MAX);
    let seconds = seconds.parse::<u64>().context("SECONDS is no number")?.min(SECONDS_MAX);
    let client =
        async_nats::connect(url.as_str()).await.with_context(|| format!("cannot connect to {url}"))?;
    ask_all(&client, subject, in_flight, WARM_UP).await?;
    let began = Instant::now();
    let latencies = ask_all(&client, subject, in_flight, Duration::from_secs(seconds)).await?;
    let summary = latencies.summary(began.elapsed());
    Ok(json!({
        "calls": summary.calls,
        "rate": summary.rate,
        "p50_us": summary.p50_us,
        "p99_us": summary.p99_us,
    })
    .to_string())
}

async fn ask_all(
    client: &async_nats::Client,
    subject: &str,
    in_flight: usize,
    time: Duration,
) -> anyhow::Result<Latencies> {
    let mut workers = JoinSet::new();
    for _ in 0..in_flight {
        workers.spawn(ask(client.clone(), subject.to_owned(), time));
    }
    let mut all = Latencies::default();
    while let Some(worker) = workers.join_next().await {
        all.join(worker.context("a worker panicked")??);
    }
    Ok(all)
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
