//! What the actors answer: shown to people, or compared.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use lattice_testkit::{Http, binary};
use serde_json::{Value, json};

use super::lattice::Place;
use crate::say;

/// What a client of ours and a server may add to a request on the way.
const HEADERS_ON_THE_WAY: [&str; 4] = ["host", "content-length", "accept", "user-agent"];

/// Prints where the actors are, how to call them, and what to type next.
pub(crate) fn show(place: &Place, took: Duration) {
    say::line(&format!("\nThe lattice is up after {}. Call its actors:\n", say::seconds(took)));
    for (actor, url) in place.urls() {
        let what = match actor {
            "hello" => format!("curl {url}"),
            "echo" => format!("curl -d 'some text' '{url}/any/path?a=1'"),
            _ => format!("curl {url}"),
        };
        say::line(&format!("  {actor:<10} {url:<32} {what}"));
    }
    say::line("\nIn another terminal, look inside and change it:\n");
    if let Some(folder) = binary("wash").ok().as_deref().and_then(Path::parent) {
        say::line(&format!("  export PATH=\"{}:$PATH\"", folder.display()));
    }
    if let Some(port) = place.unusual_nats_port() {
        say::line(&format!("  export WASMCLOUD_CTL_PORT={port}"));
    }
    if let Some(address) = place.unusual_http_address() {
        say::line(&format!("  export QUICKSTART_ADDRESS={address}"));
    }
    say::line("  wash ctl get hosts                 what is there");
    say::line("  wash ctl get inventory             what runs where, and in which state");
    say::line("  wash ctl get links                 who may call whom");
    say::line("  $EDITOR manifests/quickstart.yaml  then: wash apply -m manifests/quickstart.yaml");
    say::line("\nCtrl-C stops all of it.");
}

/// Calls each actor and compares whole bodies. True when all are right; the others are told.
pub(crate) async fn compare(place: &Place) -> anyhow::Result<bool> {
    let http = Http::new();
    let outcomes = [
        ("hello", hello(&http, &place.url("hello")?).await),
        ("echo", echo(&http, &place.url("echo")?).await),
        ("kvcounter", kvcounter(&http, &place.url("kvcounter")?).await),
    ];
    for (actor, outcome) in &outcomes {
        match outcome {
            Ok(()) => say::line(&format!("  {actor}: as it should be")),
            Err(error) => say::line(&format!("  {actor}: {error:#}")),
        }
    }
    Ok(outcomes.iter().all(|(_, outcome)| outcome.is_ok()))
}

async fn hello(http: &Http, url: &str) -> anyhow::Result<()> {
    let answer = http.get(url).await?;
    ensure!(answer.status == 200, "status {}", answer.status);
    ensure!(answer.text() == "Hello from the lattice!\n", "body {:?}", answer.text());
    Ok(())
}

async fn echo(http: &Http, url: &str) -> anyhow::Result<()> {
    let url = format!("{url}/some/path?a=1&b=%20");
    let answer = http.send("POST", &url, &[("x-check", "yes")], "ping").await?;
    ensure!(answer.status == 200, "status {}", answer.status);
    let mut body: Value = serde_json::from_slice(&answer.body).context("the body is no JSON")?;
    let headers = body.get_mut("headers").and_then(Value::as_object_mut).context("no headers")?;
    headers.retain(|name, _| !HEADERS_ON_THE_WAY.contains(&name.as_str()));
    let expected = json!({
        "method": "POST",
        "path": "/echo/some/path",
        "query_string": "a=1&b=%20",
        "headers": { "x-check": "yes" },
        "body": b"ping".to_vec(),
    });
    ensure!(body == expected, "{body} instead of {expected}");
    Ok(())
}

async fn kvcounter(http: &Http, url: &str) -> anyhow::Result<()> {
    let url = format!("{url}/check");
    let (first, second) = (count(http, &url).await?, count(http, &url).await?);
    ensure!(second == first + 1, "{second} after {first}");
    Ok(())
}

async fn count(http: &Http, url: &str) -> anyhow::Result<u64> {
    let answer = http.get(url).await?;
    ensure!(answer.status == 200, "status {}: {}", answer.status, answer.text());
    let text = answer.text();
    let counter = serde_json::from_str::<Value>(&text).ok().and_then(|body| body.get("counter")?.as_u64());
    let counter = counter.with_context(|| format!("body {text:?}"))?;
    ensure!(text == format!("{{\"counter\":{counter}}}\n"), "body {text:?}");
    Ok(counter)
}
