//! An actor calls another in the same process: `lattice-bench between TRANSLATOR.wasm ROUNDS` lets a guest call the translator a
//! hundred times in a row, the callee's instance fresh for each call or kept, and prints one JSON object.
//!
//! The caller is a few lines of its own, so that what is measured is the way there and back and the callee.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use lattice_contracts::{CallContext, InvocationIds};
use lattice_core::{ActorId, LinkName};
use lattice_runtime::{Actor, ActorSpec, Function as _, Runtime, RuntimeConfig, Values};
use serde_json::{Value, json};

use crate::{Latencies, Links, Summary, Turns};

/// Calls that the guest makes in one go. They stay within the time and the processor time of one invocation.
const CALLS: u8 = 100;
/// Such goes in one turn.
const GOES: usize = 60;
const ROUNDS_MAX: u32 = 20;

/// Calls `translate` with "Anna" as often as it is told to.
const CALLER: &str = r#"(component
    (import "demo:translate/translator@0.1.0" (instance $t
        (type $language' (enum "english" "french" "german"))
        (export "language" (type $language (eq $language')))
        (type $manner' (flags "formal" "loud"))
        (export "manner" (type $manner (eq $manner')))
        (type $audience' (variant (case "nobody") (case "one" string) (case "many" (list string))))
        (export "audience" (type $audience (eq $audience')))
        (type $greeting' (record (field "language" $language) (field "manner" $manner)
            (field "audience" $audience) (field "hour" (option u8))))
        (export "greeting" (type $greeting (eq $greeting')))
        (type $translation' (record (field "text" string) (field "words" u32)))
        (export "translation" (type $translation (eq $translation')))
        (type $refusal' (variant (case "nobody-to-greet") (case "no-such-hour" u8)))
        (export "refusal" (type $refusal (eq $refusal')))
        (export "translate" (func (param "greeting" $greeting)
            (result (result $translation (error $refusal)))))))
    (core module $memory
        (memory (export "memory") 1)
        (data (i32.const 16) "Anna")
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
    (core instance $m (instantiate $memory))
    (core func $translate (canon lower (func $t "translate") (memory (core memory $m "memory"))
        (realloc (core func $m "realloc"))))
    (core module $main
        (import "t" "translate" (func $translate (param i32 i32 i32 i32 i32 i32 i32 i32)))
        (func (export "run") (param $times i32)
            (loop $again
                (if (i32.eqz (local.get $times)) (then return))
                (call $translate (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16) (i32.const 4)
                    (i32.const 0) (i32.const 0) (i32.const 64))
                (local.set $times (i32.sub (local.get $times) (i32.const 1)))
                (br $again))))
    (core instance $i (instantiate $main (with "t" (instance (export "translate" (func $translate))))))
    (func $run (param "times" u8) (canon lift (core func $i "run")))
    (instance $bench (export "run" (func $run)))
    (export "bench:between/caller" (instance $bench)))"#;

pub(super) async fn run(args: &[String]) -> anyhow::Result<Value> {
    let [file, rounds] = args else { bail!("two arguments are needed") };
    let wasm = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
    let rounds = rounds.parse::<u32>().context("the rounds are no number")?.clamp(1, ROUNDS_MAX);
    let runtime = Runtime::new(RuntimeConfig::default()).context("the runtime does not start")?;
    let translator = runtime.prepare(wasm.into()).await.context("the translator cannot be compiled")?;
    let caller = wat::parse_str(CALLER).context("the caller is not well formed")?;
    let caller = runtime.prepare(caller.into()).await.context("the caller cannot be compiled")?;
    let start = |reuse: NonZeroU32| {
        let id: ActorId = "translator".parse().context("an id")?;
        let spec = ActorSpec { reuse, ..ActorSpec::new(id) };
        let alone = Arc::new(Links::none());
        let callee = runtime.start(&translator, spec, alone).context("the translator does not start")?;
        let linked = Links::to(callee.clone());
        let spec = ActorSpec::new("caller".parse().context("an id")?);
        let caller = runtime.start(&caller, spec, Arc::new(linked)).context("the caller does not start")?;
        anyhow::Ok((caller, callee))
    };
    let (fresh, kept) = (start(NonZeroU32::MIN)?, start(NonZeroU32::MAX)?);
    let mut rows = Turns::default();
    for round in 0..=rounds {
        for (name, (caller, callee)) in [("fresh", &fresh), ("kept", &kept)] {
            let summary = turn(caller, callee).await?;
            // The first turn warms caches and does not count.
            if round > 0 {
                rows.note(name, summary);
            }
        }
    }
    Ok(rows.json(|median| json!({ "p50_us": median.p50_us, "p99_us": median.p99_us })))
}

/// Goes of a hundred calls each; a go's mean is one figure.
async fn turn(caller: &Actor, callee: &Actor) -> anyhow::Result<Summary> {
    let (mut latencies, began, before) = (Latencies::default(), Instant::now(), callee.stats().ok);
    for _ in 0..GOES {
        let go = Instant::now();
        let context = CallContext {
            id: InvocationIds::new(2).next(),
            source: "bench".parse()?,
            target: "caller".parse()?,
            link: LinkName::default(),
            deadline: tokio::time::Instant::now() + Duration::from_secs(30),
            depth: 0,
            trace: None,
        };
        let times = Values::from_bytes(Bytes::from_static(&[CALLS]));
        caller.invoke(context, "bench:between/caller", "run", times).await?;
        latencies.note(go.elapsed() / u32::from(CALLS));
    }
    let made = callee.stats().ok - before;
    ensure!(made == GOES as u64 * u64::from(CALLS), "{made} calls of the translator were counted");
    Ok(latencies.summary(began.elapsed()))
}
