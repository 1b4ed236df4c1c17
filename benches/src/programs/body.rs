//! One large body there and back: `lattice-bench body ADDRESS PATH MEBIBYTES` sends it while it reads what comes back, and prints one JSON object.
//! What comes back has to be as long as what was sent.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{Request, body::Frame, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

const MEBIBYTES_MAX: u64 = 4096;
const PIECE: usize = 64 * 1024;
const WITHIN: Duration = Duration::from_secs(150);

pub(super) async fn run(args: &[String]) -> anyhow::Result<String> {
    let [address, path, mebibytes] = args else { bail!("three arguments are needed") };
    let address: SocketAddr = address.parse().context("the address is not IP:PORT")?;
    ensure!(address.ip().is_loopback(), "{address} is not on this machine");
    let mebibytes = mebibytes.parse::<u64>().context("MEBIBYTES is no number")?.clamp(1, MEBIBYTES_MAX);
    let bytes = mebibytes * 1024 * 1024;
    let began = Instant::now();
    let came =
        timeout(WITHIN, there_and_back(address, path, bytes)).await.context("the body took too long")??;
    ensure!(came == bytes, "{bytes} bytes went and {came} came back");
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({ "bytes": bytes, "seconds": seconds }).to_string())
}

async fn there_and_back(address: SocketAddr, path: &str, bytes: u64) -> anyhow::Result<u64> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.context("no HTTP there")?;
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let piece = Bytes::from(vec![7_u8; PIECE]);
    let pieces = bytes / PIECE as u64;
    let body = futures::stream::iter(0..pieces)
        .map(move |_| Ok::<_, std::convert::Infallible>(Frame::data(piece.clone())));
    let request = Request::builder()
        .method("POST")
        .uri(path)
        .header("host", address.to_string())
        .header("content-length", bytes.to_string())
        .body(StreamBody::new(body))
        .context("no request")?;
    let response = sender.send_request(request).await.context("no answer")?;
    ensure!(response.status().is_success(), "the answer is {}", response.status());
    let (mut body, mut came) = (response.into_body(), 0_u64);
    while let Some(frame) = body.frame().await {
        came += frame.context("the answer broke off")?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(came)
}
