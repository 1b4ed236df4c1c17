//! From outside, by HTTP: one request that two readers take for two, and fields that claim to be somebody else's.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::calls::TOLD;
use crate::{
    attempt::{By, Outcome},
    scene::{Events, Scene},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// How long the server may be silent until it has nothing more to say.
const QUIET: Duration = Duration::from_millis(700);

/// All that the server says to these bytes.
async fn say(scene: &Scene, request: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", scene.ports.http)).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut said = Vec::new();
    // It may end the connection, or wait for a further request.
    while let Ok(Ok(1..)) = tokio::time::timeout(QUIET, stream.read_buf(&mut said)).await {}
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// How many answers there are in what the server said.
fn answers(said: &str) -> usize {
    said.matches("HTTP/1.1 ").count()
}

/// A second request inside the first, for a reader that takes the other one of two lengths.
pub(crate) fn smuggling(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let second = "GET /smuggled HTTP/1.1\r\nhost: echo.test\r\n\r\n";
        let first = "GET / HTTP/1.1\r\nhost: echo.test\r\n\r\n";
        let proof = say(scene, &format!("{first}{second}")).await?;
        ensure!(answers(&proof) == 2 && proof.contains("/smuggled"), "two requests get two answers: {proof}");
        let mut events = Events::of(&scene.people.auditor).await?;
        let mut seen = String::new();
        for (lengths, status) in [
            // The chunks count, as RFC 9112 has it, and the connection ends with them.
            ("content-length: 47\r\ntransfer-encoding: chunked", "200"),
            ("transfer-encoding: chunked\r\ncontent-length: 5", "200"),
            ("content-length: 5\r\ncontent-length: 47", "400"),
            ("transfer-encoding: chunked\r\ntransfer-encoding: identity", "400"),
            ("transfer-encoding: xchunked", "400"),
            ("transfer-encoding : chunked", "400"),
            ("content-length: +5", "400"),
            ("content-length: 0x5", "400"),
        ] {
            let request = format!("POST / HTTP/1.1\r\nhost: echo.test\r\n{lengths}\r\n\r\n0\r\n\r\n{second}");
            seen = say(scene, &request).await?;
            if answers(&seen) > 1 || seen.contains("/smuggled\"") {
                return Ok(Outcome::succeeded(format!("{lengths:?} hides a request")));
            }
            ensure!(
                seen.starts_with(&format!("HTTP/1.1 {status}")),
                "{lengths:?} is answered otherwise: {seen}"
            );
        }
        let first = seen.lines().next().unwrap_or_default();
        is_told(&mut events).await?;
        Ok(Outcome::refused(By::HttpServer, TOLD, first))
    }
    .boxed_local()
}

/// Fields with line breaks, two hosts, and fields that only a proxy before us may set away.
pub(crate) fn fields(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let get = |fields: &str| format!("GET / HTTP/1.1\r\n{fields}\r\nconnection: close\r\n\r\n");
        let mut events = Events::of(&scene.people.auditor).await?;
        let mut seen = String::new();
        for bad in [
            "host: echo.test\r\nhost: hello.test",
            "host: echo.test\r\nx-one: a\rx-two: b",
            "host: echo.test\r\nx-one: a\0b",
            "host: echo.test\r\nx one: a",
            "host: echo.test/../hello.test",
            "host: somebody@echo.test",
        ] {
            let said = say(scene, &get(bad)).await?;
            if said.starts_with("HTTP/1.1 2") {
                return Ok(Outcome::succeeded(format!("{bad:?} is served")));
            }
            ensure!(said.starts_with("HTTP/1.1 4"), "{bad:?}: {said}");
            seen = said.lines().next().unwrap_or_default().to_owned();
        }
        // What concerns this connection alone does not reach the actor, and takes no other field with it.
        let said =
            say(scene, &get("host: echo.test\r\nx-own: 1\r\nkeep-alive: 5\r\nproxy-connection: x\r\nte: x"))
                .await?;
        // In chunks or not: there is one object in it.
        let (start, end) = (said.find('{').context("no body")?, said.rfind('}').context("no body")?);
        let body: Value = serde_json::from_str(&said[start..=end]).with_context(|| said.clone())?;
        ensure!(body["headers"]["x-own"] == "1", "{body}");
        for gone in ["connection", "keep-alive", "proxy-connection"] {
            ensure!(body["headers"].get(gone).is_none(), "the actor sees {gone}: {body}");
        }
        is_told(&mut events).await?;
        Ok(Outcome::refused(By::HttpServer, TOLD, seen))
    }
    .boxed_local()
}

/// Waits until the lattice was told that the HTTP server refused a client of this machine something.
async fn is_told(events: &mut Events) -> anyhow::Result<()> {
    let by_server = |data: &Value| data["source"] == "127.0.0.1" && data["code"] == "protocol";
    events.wait("call_refused", by_server).await.map(drop)
}
