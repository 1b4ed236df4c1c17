//! Calls as a host makes them: `lattice-bench lattice-caller URL SOURCE HOST TARGET IN_FLIGHT SECONDS|CALLSx [CREDS]` calls `add` of the actor TARGET on
//! HOST over and over in the name of SOURCE, which must be linked to it, for that many seconds or (`100000x`) that many calls, and
//! prints one JSON object. It stops by itself.
//!
//! It has this process' side of the protocol and no guest, as `lattice-bench nats-caller` has: what lies between the two is the protocol's.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::{Latencies, LatticeCaller, at_once};

/// No run is longer.
const SECONDS_MAX: u64 = 60;
const CALLS_MAX: u64 = 1_000_000;
const IN_FLIGHT_MAX: usize = 1024;
const WARM_UP: Duration = Duration::from_millis(500);

/// Until when is called.
#[derive(Clone, Copy)]
enum Until {
    Time(Duration),
    Calls(u64),
}

/// What the workers share.
struct Run {
    caller: LatticeCaller,
    made: AtomicU64,
    failed: AtomicU64,
}

pub(super) async fn run(args: &[String]) -> anyhow::Result<Value> {
    let (args, creds) = match args {
        [args @ .., creds] if args.len() == 6 => (args, Some(PathBuf::from(creds))),
        args => (args, None),
    };
    let [url, source, host, target, in_flight, until] = args else {
        bail!("six or seven arguments are needed")
    };
    let in_flight = in_flight.parse::<usize>().context("IN_FLIGHT is no number")?.clamp(1, IN_FLIGHT_MAX);
    let until = Until::read(until)?;
    let run = Arc::new(Run {
        caller: LatticeCaller::connect(url, creds, source, host, target).await?,
        made: AtomicU64::new(0),
        failed: AtomicU64::new(0),
    });
    call_all(&run, in_flight, Until::Time(WARM_UP)).await?;
    run.failed.store(0, Ordering::Relaxed);
    let began = Instant::now();
    let latencies = call_all(&run, in_flight, until).await?;
    let summary = latencies.summary(began.elapsed());
    let mut figures = summary.json();
    figures["failed"] = run.failed.load(Ordering::Relaxed).into();
    Ok(figures)
}

impl Until {
    fn read(text: &str) -> anyhow::Result<Self> {
        match text.strip_suffix('x') {
            Some(calls) => {
                Ok(Self::Calls(calls.parse::<u64>().context("CALLS is no number")?.min(CALLS_MAX)))
            }
            None => {
                let seconds = text.parse::<u64>().context("SECONDS is no number")?.min(SECONDS_MAX);
                Ok(Self::Time(Duration::from_secs(seconds)))
            }
        }
    }
}

async fn call_all(run: &Arc<Run>, in_flight: usize, until: Until) -> anyhow::Result<Latencies> {
    run.made.store(0, Ordering::Relaxed);
    at_once(in_flight, || call_on(run.clone(), until)).await
}

async fn call_on(run: Arc<Run>, until: Until) -> anyhow::Result<Latencies> {
    let mut latencies = Latencies::default();
    let began = Instant::now();
    loop {
        let goes_on = match until {
            Until::Time(time) => began.elapsed() < time,
            Until::Calls(calls) => run.made.fetch_add(1, Ordering::Relaxed) < calls,
        };
        if !goes_on {
            return Ok(latencies);
        }
        let sent = Instant::now();
        match run.caller.add().await {
            Ok(()) => latencies.note(sent.elapsed()),
            Err(error) => {
                // A call that fails is counted; the first one also says why.
                if run.failed.fetch_add(1, Ordering::Relaxed) == 0 {
                    eprintln!("a call failed: {error:#}");
                }
            }
        }
    }
}
