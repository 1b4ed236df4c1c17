//! The limit of HTTP over the lattice: `lattice-bench http-over-nats ADDRESS URL SUBJECT` answers each request with what one NATS request
//! on SUBJECT brings back, with hyper and async-nats and nothing else.

use std::{convert::Infallible, net::SocketAddr};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

pub(super) async fn run(args: &[String]) -> anyhow::Result<Infallible> {
    let [address, url, subject] = args else { bail!("three arguments are needed") };
    let address: SocketAddr = address.parse().context("the address is not IP:PORT")?;
    ensure!(address.ip().is_loopback(), "{address} is not on this machine");
    let client =
        async_nats::connect(url.as_str()).await.with_context(|| format!("cannot connect to {url}"))?;
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot bind {address}"))?;
    println!("ready");
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.context("cannot accept")?;
        stream.set_nodelay(true).context("cannot set the connection up")?;
        let (client, subject) = (client.clone(), subject.clone());
        connections.spawn(async move {
            let ask = service_fn(|_: hyper::Request<Incoming>| {
                let (client, subject) = (client.clone(), subject.clone());
                async move { Ok::<_, Infallible>(forward(&client, subject).await) }
            });
            // A client that hangs up is the usual end.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), ask).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn forward(client: &async_nats::Client, subject: String) -> Response<Full<Bytes>> {
    match client.request(subject, Bytes::new()).await {
        Ok(answer) => Response::new(Full::new(answer.payload)),
        Err(error) => {
            let mut response = Response::new(Full::new(Bytes::from(error.to_string())));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
    }
}
