//! The least that HTTP to a guest costs: `lattice-bench least ADDRESS ACTOR.wasm` answers each request with what the actor says, with hyper,
//! wasmtime and the engine settings of the host, and nothing else.
//!
//! `/reuse` keeps instances for up to 128 requests each, every other path makes a fresh one for each.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};

use super::server::serve;
use crate::{Bare, Instance};

/// Calls of one kept instance.
const REUSE: u32 = 128;

/// The actor, and its instances that wait for their next call.
struct Least {
    actor: Bare,
    kept: Mutex<Vec<(Instance, u32)>>,
}

pub(super) async fn run(args: &[String]) -> anyhow::Result<Infallible> {
    let [address, file] = args else { bail!("two arguments are needed") };
    let wasm = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
    let actor = Bare::new(&wasm).map_err(|error| anyhow::anyhow!("the actor cannot be used: {error:#}"))?;
    let least = Arc::new(Least { actor, kept: Mutex::new(Vec::new()) });
    serve(address, move |request| {
        let least = least.clone();
        async move {
            let body = match request.uri().path() {
                "/reuse" => least.reused().await,
                _ => least.fresh().await,
            };
            response(body)
        }
    })
    .await
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
