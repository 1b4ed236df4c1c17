//! What the limit programs that serve HTTP have in common: hyper, and a task for each connection.

use std::{convert::Infallible, net::SocketAddr};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

/// Serves `answer` at an address of this machine until it is ended, and says `ready` once it listens.
///
/// # Errors
/// An address that is none or not of this machine, and what the system says.
pub(super) async fn serve<A>(
    address: &str,
    answer: impl Fn(Request<Incoming>) -> A + Clone + Send + 'static,
) -> anyhow::Result<Infallible>
where
    A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let address: SocketAddr = address.parse().context("the address is not IP:PORT")?;
    ensure!(address.ip().is_loopback(), "{address} is not on this machine");
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot bind {address}"))?;
    println!("ready");
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.context("cannot accept")?;
        stream.set_nodelay(true).context("cannot set the connection up")?;
        let answer = answer.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let answered = answer(request);
                async move { Ok::<_, Infallible>(answered.await) }
            });
            // A client that hangs up is the usual end.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
