//! Messages of a call between hosts: `lattice-bench messages URL SOURCE HOST TARGET CALLS` makes that many calls one after the other, counts what
//! crosses NATS under the subjects of calls and replies meanwhile, and prints one JSON object.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use futures::{StreamExt as _, stream::select_all};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::LatticeCaller;

/// Everything that calls send: to a target, to a host, and back.
const SUBJECTS: [&str; 3] = ["wasmbus.call.>", "wasmbus.host.>", "wasmbus.back.>"];
const CALLS_MAX: u64 = 100_000;
/// How long the count of what was sent may take to settle.
const SETTLED_AFTER: Duration = Duration::from_millis(500);
const SETTLED_WITHIN: Duration = Duration::from_secs(20);

pub(super) async fn run(args: &[String]) -> anyhow::Result<String> {
    let [url, source, host, target, calls] = args else { bail!("five arguments are needed") };
    let calls = calls.parse::<u64>().context("CALLS is no number")?.clamp(1, CALLS_MAX);
    let caller = LatticeCaller::connect(url, None, source, host, target).await?;
    // The first call finds out what there is to find out.
    caller.add().await?;
    let counted = Arc::new(AtomicU64::new(0));
    let observer = async_nats::connect(url.as_str()).await.context("the observer cannot connect")?;
    let mut heard = Vec::new();
    for subject in SUBJECTS {
        heard.push(observer.subscribe(subject).await.context("the observer cannot listen")?);
    }
    observer.flush().await.context("the observer's subscriptions were not sent")?;
    let mut heard = select_all(heard);
    let count = counted.clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        while heard.next().await.is_some() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    // A message to oneself comes back behind the subscriptions.
    observer.request("$SYS.REQ.USER.INFO", "".into()).await.context("NATS does not answer")?;
    for _ in 0..calls {
        caller.add().await?;
    }
    let messages = timeout(SETTLED_WITHIN, settled(&counted)).await.context("messages go on and on")?;
    #[expect(clippy::cast_precision_loss, reason = "a hundred thousand is exact")]
    let per_call = messages as f64 / calls as f64;
    Ok(json!({ "calls": calls, "messages": messages, "per_call": per_call }).to_string())
}

/// The count, once it has not changed for a while.
async fn settled(counted: &AtomicU64) -> u64 {
    let (mut last, mut since) = (counted.load(Ordering::Relaxed), Instant::now());
    loop {
        sleep(SETTLED_AFTER / 10).await;
        let now = counted.load(Ordering::Relaxed);
        if now != last {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() >= SETTLED_AFTER {
            return now;
        }
    }
}
