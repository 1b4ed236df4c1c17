//! The limit of HTTP: `lattice-bench hyper ADDRESS` answers every request with a fixed text, with hyper and nothing else.

use std::{convert::Infallible, net::SocketAddr};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

pub(super) async fn run(args: &[String]) -> anyhow::Result<Infallible> {
    let [address] = args else { bail!("one argument is needed") };
    let address: SocketAddr = address.parse().context("the address is not IP:PORT")?;
    ensure!(address.ip().is_loopback(), "{address} is not on this machine");
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot bind {address}"))?;
    println!("ready");
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        connections.spawn(async move {
            let answer = service_fn(async |_: hyper::Request<Incoming>| {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
                    b"Hello from the lattice!\n",
                ))))
            });
            // A client that hangs up is the usual end.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
