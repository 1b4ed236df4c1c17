//! Starting what is measured, and what it is measured against.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use lattice_testkit::{Http, Launch, NatsServer, Process, actor_file, free_port, target_dir, until};
use serde_json::Value;

use super::report::Row;

const SOON: Duration = Duration::from_secs(30);
/// The file that all programs of `benches/` are in.
const BENCH: &str = "lattice-bench";
const INSTANCE_ROUNDS: &str = "5";

/// A host of the release build with one actor behind two paths: once fresh for each request, once reusing.
pub(super) struct BenchHost {
    _process: Process,
    _folder: tempfile::TempDir,
}

pub(super) fn release(name: &str) -> PathBuf {
    target_dir().join("release").join(name)
}

/// A program of `benches/`.
fn bench(program: &str) -> Launch {
    Launch::program(release(BENCH)).arg(program)
}

pub(super) async fn nats(program: &Path) -> anyhow::Result<NatsServer> {
    let options = lattice_testkit::NatsOptions { program: Some(program.to_owned()), ..Default::default() };
    Ok(NatsServer::start_with(options).await?)
}

pub(super) async fn host(nats: &NatsServer) -> anyhow::Result<(BenchHost, SocketAddr)> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let actor = actor_file("hello")?;
    let manifest = format!(
        "app: bench\n\
         providers:\n  - {{ name: http, image: builtin://http-server }}\n\
         actors:\n  \
         - {{ name: fresh, image: {actor} }}\n  \
         - {{ name: reuse, image: {actor}, reuse: 128 }}\n\
         links:\n  \
         - {{ from: http, to: fresh, contract: wasi:http, config: {{ address: {address}, path: /fresh }} }}\n  \
         - {{ from: http, to: reuse, contract: wasi:http, config: {{ address: {address}, path: /reuse }} }}\n",
        actor = actor.display(),
    );
    let file = folder.path().join("bench.yaml");
    std::fs::write(&file, manifest).with_context(|| format!("cannot write {}", file.display()))?;
    let launch = Launch::program(release("wasmcloud"))
        .args(["--allow-unsigned", "--log-level", "warn", "--open", "--nats-url", &nats.url()])
        .arg("--data-dir")
        .arg(folder.path().join("data"))
        .arg("--cache-dir")
        .arg(folder.path().join("cache"))
        .arg("--manifest")
        .arg(&file)
        .ready("wasmcloud ready", SOON);
    let process = launch.start().await?;
    let http = Http::new();
    for path in ["fresh", "reuse"] {
        let url = format!("http://{address}/{path}");
        until("the actor answers", SOON, async || {
            http.get(&url).await.is_ok_and(|answer| answer.status == 200).then_some(())
        })
        .await?;
    }
    Ok((BenchHost { _process: process, _folder: folder }, address))
}

pub(super) async fn hyper() -> anyhow::Result<(Process, SocketAddr)> {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let launch = bench("hyper").arg(address.to_string()).ready("ready", SOON);
    Ok((launch.start().await?, address))
}

/// hyper with a guest and nothing else, and its address.
pub(super) async fn least() -> anyhow::Result<(Process, SocketAddr)> {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let launch = bench("least").arg(address.to_string()).arg(actor_file("hello")?);
    Ok((launch.ready("ready", SOON).start().await?, address))
}

/// Something that answers each message on `subject` with one, by nothing but async-nats and wasmtime.
pub(super) async fn responder(
    nats: &NatsServer,
    subject: &str,
    work: &str,
    actor: Option<&str>,
) -> anyhow::Result<Process> {
    let url = nats.url();
    let mut launch = bench("nats-responder").args([url.as_str(), subject, work]);
    if let Some(actor) = actor {
        launch = launch.arg(actor_file(actor)?);
    }
    Ok(launch.ready("ready", SOON).start().await?)
}

/// hyper with one NATS request for each HTTP request, and its address.
pub(super) async fn http_over_nats(
    nats: &NatsServer,
    subject: &str,
) -> anyhow::Result<(Process, SocketAddr)> {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let args = [address.to_string(), nats.url(), subject.to_owned()];
    let launch = bench("http-over-nats").args(args).ready("ready", SOON);
    Ok((launch.start().await?, address))
}

/// The runtime's calls against wasmtime alone.
pub(super) async fn instances() -> anyhow::Result<(Vec<Row>, Value)> {
    let actor = actor_file("hello")?.display().to_string();
    let raw = output("instances", &[actor, INSTANCE_ROUNDS.to_owned()]).await?;
    let p50 = |name: &str| raw[name]["p50_us"].as_f64().with_context(|| format!("{name} was not measured"));
    let row = |name, ours: &str, alone: &str| {
        let (figure, limit) = (p50(ours)?, p50(alone)?);
        anyhow::Ok(Row { name, figure, limit, unit: "µs", ratio: limit / figure, gate: None, goal: None })
    };
    let rows = vec![
        row("instance started and called, p50", "fresh, runtime", "fresh, wasmtime alone")?,
        row("kept instance called, p50", "reused, runtime", "reused, wasmtime alone")?,
    ];
    Ok((rows, raw))
}

/// An actor's calls of another in the same process, against what they may take.
pub(super) async fn between() -> anyhow::Result<(Vec<Row>, Value)> {
    let actor = actor_file("translator")?.display().to_string();
    let raw = output("between", &[actor, INSTANCE_ROUNDS.to_owned()]).await?;
    // The gate is a time, so the limit is that time and the ratio has to be 1 at least.
    let row = |name, ours: &str, gate_us: f64, goal_us: f64| {
        let figure = raw[ours]["p50_us"].as_f64().with_context(|| format!("{ours} was not measured"))?;
        let (ratio, gate, goal) = (gate_us / figure, Some(1.0), Some(gate_us / goal_us));
        anyhow::Ok(Row { name, figure, limit: gate_us, unit: "µs", ratio, gate, goal })
    };
    let rows = vec![
        row("actor to actor in one host, fresh instance, p50", "fresh", 25.0, 20.0)?,
        row("actor to actor in one host, kept instance, p50", "kept", 5.0, 3.0)?,
    ];
    Ok((rows, raw))
}

/// Signed commands, against what one may cost.
pub(super) async fn commands() -> anyhow::Result<(Vec<Row>, Value)> {
    let raw = output("commands", &[INSTANCE_ROUNDS.to_owned()]).await?;
    let figure = raw["checked"]["p99_us"].as_f64().context("commands were not measured")?;
    let limit = 1000.0;
    let (name, ratio) = ("signed command checked, p99", limit / figure);
    Ok((vec![Row { name, figure, limit, unit: "µs", ratio, gate: Some(1.0), goal: None }], raw))
}

/// Runs a program of `benches/` and reads the JSON object it prints.
pub(super) async fn output(program: &str, args: &[String]) -> anyhow::Result<Value> {
    let run =
        tokio::process::Command::new(release(BENCH)).arg(program).args(args).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(180), run)
        .await
        .with_context(|| format!("{program} did not end"))?
        .with_context(|| format!("cannot start {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} failed: {}", said.trim());
    serde_json::from_slice(&output.stdout).with_context(|| format!("{program} did not print JSON"))
}
