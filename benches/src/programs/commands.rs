//! A signed command: `lattice-bench commands ROUNDS` signs commands as `wash` does and checks them as a host does, token, time, key and the
//! memory of those that came before, and prints one JSON object. It has neither NATS nor a lattice.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use lattice_claims::{CommandRequest, KeyKind, KeyPair, SEEN_MAX, Seen, sign_command, verify_command};
use serde_json::{Value, json};

use crate::Latencies;

/// Commands of one round.
const COMMANDS: u64 = 1_000;
const ROUNDS_MAX: u64 = 50;
/// Some time of day, in milliseconds since 1970; every command is a millisecond later.
const BEGAN_MS: u64 = 1_800_000_000_000;

pub(super) fn run(args: &[String]) -> anyhow::Result<Value> {
    let [rounds] = args else { bail!("one argument is needed") };
    let rounds = rounds.parse::<u64>().context("ROUNDS is no number")?.clamp(1, ROUNDS_MAX);
    let key = KeyPair::generate(KeyKind::User);
    let mut seen = Seen::since(BEGAN_MS, SEEN_MAX);
    let (mut signing, mut checking) = (Latencies::default(), Latencies::default());
    for count in 0..rounds * COMMANDS {
        let body = format!(r#"{{"count":{count},"text":"what a configuration says"}}"#);
        let request = CommandRequest {
            lattice: "default",
            subject: "wasmbus.ctl.v1.default.config.put.greeting",
            body: body.as_bytes(),
        };
        let now_ms = BEGAN_MS + count;
        let began = Instant::now();
        let token = sign_command(&request, &key, now_ms).context("a command was not signed")?;
        signing.note(began.elapsed());
        let began = Instant::now();
        let command = verify_command(&token, &request, now_ms).context("a command was refused")?;
        seen.accept(&command, now_ms).context("a command was taken for an old one")?;
        checking.note(began.elapsed());
    }
    let of = |latencies: Latencies| {
        let summary = latencies.summary(Duration::from_secs(1));
        json!({ "p50_us": summary.p50_us, "p99_us": summary.p99_us })
    };
    Ok(json!({ "signed": of(signing), "checked": of(checking) }))
}
