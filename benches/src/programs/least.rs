//! The least that HTTP to a guest costs: `lattice-bench least ADDRESS ACTOR.wasm` answers each request with what the actor says, with hyper,
//! wasmtime and the engine settings of the host, and nothing else.
//!
//! `/reuse` keeps instances for up to 128 requests each, every other path makes a fresh one for each.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{Bare, Instance};
use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

/// Calls of one kept instance.
const REUSE: u32 = 128;

/// The actor, and its instances that wait for their next call.
struct Least {
    actor: Bare,
    kept: Mutex<Vec<(Instance, u32)>>,
}

pub(super) async fn run(args: &[String]) -> anyhow::Result<Infallible> {
    let [address, file] = args else { bail!("two arguments are needed") };
    let address: SocketAddr = address.parse().context("the address is not IP:PORT")?;
    ensure!(address.ip().is_loopback(), "{address} is not on this machine");
    let wasm = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
    let actor = Bare::new(&wasm).map_err(|error| anyhow::anyhow!("the actor cannot be used: {error:#}"))?;
    let least = Arc::new(Least { actor, kept: Mutex::new(Vec::new()) });
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot bind {address}"))?;
    println!("ready");
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.context("cannot accept")?;
        stream.set_nodelay(true).context("cannot set the connection up")?;
        let least = least.clone();
        connections.spawn(async move {
            let answer = service_fn(|request: hyper::Request<Incoming>| {
                let least = least.clone();
                async move {
                    let body = match request.uri().path() {
                        "/reuse" => least.reused().await,
                        _ => least.fresh().await,
                    };
                    Ok::<_, Infallible>(response(body))
                }
            });
            // A client that hangs up is the usual end.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

impl Least {
    async fn fresh(&self) -> wasmtime::Result<Bytes> {
        self.actor.instance().await?.answer().await
    }

    async fn reused(&self) -> wasmtime::Result<Bytes> {
        let kept = self.lock().pop();
        let (mut instance, left) = match kept {
            Some(kept) => kept,
            None => (self.actor.instance().await?, REUSE),
        };
        let answer = instance.answer().await?;
        if left > 1 {
            self.lock().push((instance, left - 1));
        }
        Ok(answer)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Instance, u32)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn response(body: wasmtime::Result<Bytes>) -> Response<Full<Bytes>> {
    match body {
        Ok(body) => Response::new(Full::new(body)),
        Err(error) => {
            let mut response = Response::new(Full::new(Bytes::from(format!("{error:#}"))));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}
