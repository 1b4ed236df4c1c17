//! An instance started and called: `lattice-bench instances ACTOR.wasm ROUNDS` compares the host's runtime with wasmtime alone, in
//! one process and turn by turn, and prints one JSON object.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use http_body_util::BodyExt as _;
use lattice_contracts::{
    CallContext, InvocationIds,
    http::{Incoming as _, empty},
};
use lattice_core::LinkName;
use lattice_runtime::{Actor, ActorSpec, Runtime, RuntimeConfig};
use serde_json::{Value, json};

use crate::{Bare, Latencies, Links, Summary, Turns};

/// Calls of one turn; enough for a steady median, few enough that a turn is short.
const CALLS: usize = 4_000;
const ROUNDS_MAX: u32 = 20;

pub(super) async fn run(args: &[String]) -> anyhow::Result<Value> {
    let [file, rounds] = args else { bail!("two arguments are needed") };
    let wasm = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
    let rounds = rounds.parse::<u32>().context("the rounds are no number")?.clamp(1, ROUNDS_MAX);
    let bare = Bare::new(&wasm).map_err(|error| anyhow::anyhow!("wasmtime alone: {error:#}"))?;
    let runtime = Runtime::new(RuntimeConfig::default()).context("the runtime does not start")?;
    let prepared = runtime.prepare(wasm.into()).await.context("the actor cannot be compiled")?;
    let start = |reuse: u32| {
        let reuse = NonZeroU32::new(reuse).unwrap_or(NonZeroU32::MIN);
        let id = "hello".parse().context("an id")?;
        let spec = ActorSpec { reuse, ..ActorSpec::new(id) };
        runtime.start(&prepared, spec, Arc::new(Links::none())).context("the actor does not start")
    };
    let (fresh, reused) = (start(1)?, start(u32::MAX)?);
    let ids = InvocationIds::new(1);
    let mut rows = Turns::default();
    for round in 0..=rounds {
        let turn = [
            ("fresh, wasmtime alone", of_bare(&bare, false).await?),
            ("fresh, runtime", of_actor(&fresh, &ids).await?),
            ("reused, wasmtime alone", of_bare(&bare, true).await?),
            ("reused, runtime", of_actor(&reused, &ids).await?),
        ];
        // The first turn warms caches and does not count.
        for (name, summary) in turn.into_iter().filter(|_| round > 0) {
            rows.note(name, summary);
        }
    }
    Ok(rows.json(|median| json!({ "p50_us": median.p50_us, "p99_us": median.p99_us, "rate": median.rate })))
}

async fn of_bare(bare: &Bare, reuse: bool) -> anyhow::Result<Summary> {
    let failed = |error: wasmtime::Error| anyhow::anyhow!("wasmtime alone: {error:#}");
    let mut kept = bare.instance().await.map_err(failed)?;
    let (mut latencies, began) = (Latencies::default(), Instant::now());
    for _ in 0..CALLS {
        let call = Instant::now();
        if reuse {
            kept.answer().await.map_err(failed)?;
        } else {
            bare.instance().await.map_err(failed)?.answer().await.map_err(failed)?;
        }
        latencies.note(call.elapsed());
    }
    Ok(latencies.summary(began.elapsed()))
}

async fn of_actor(actor: &Actor, ids: &InvocationIds) -> anyhow::Result<Summary> {
    let (mut latencies, began) = (Latencies::default(), Instant::now());
    for _ in 0..CALLS {
        let call = Instant::now();
        let context = CallContext {
            id: ids.next(),
            source: "bench".parse()?,
            target: "hello".parse()?,
            link: LinkName::default(),
            deadline: tokio::time::Instant::now() + Duration::from_secs(30),
            depth: 0,
            trace: None,
        };
        let request = http::Request::builder().uri("http://localhost/").body(empty())?;
        let response = actor.handle(context, request).await?;
        response.into_body().collect().await.map_err(|error| anyhow::anyhow!("{error}"))?;
        latencies.note(call.elapsed());
    }
    Ok(latencies.summary(began.elapsed()))
}
