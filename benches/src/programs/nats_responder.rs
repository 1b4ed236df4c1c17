//! The limit of calls over NATS: `lattice-bench nats-responder URL SUBJECT echo|add|http [ACTOR.wasm]` answers each message on SUBJECT with
//! one message: the same bytes, the sum of two numbers from a fresh instance, or the body of a fresh instance's HTTP answer.
//!
//! Nothing of the project's own is in it: async-nats as it comes, and wasmtime with the engine settings of the host. It ends by
//! itself after half an hour.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use async_nats::{Client, Message};
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{Bare, BareFunction};

/// Messages that are worked on at once; more wait in the subscription.
const AT_ONCE: usize = 512;
/// No bench takes longer.
const LIFE: Duration = Duration::from_secs(30 * 60);

/// What is done for a message.
enum Work {
    Echo,
    Add(BareFunction),
    Http(Bare),
}

pub(super) async fn run(args: &[String]) -> anyhow::Result<()> {
    let (url, subject, work) = match args {
        [url, subject, work] => (url, subject, Work::new(work, None)?),
        [url, subject, work, actor] => (url, subject, Work::new(work, Some(actor))?),
        _ => bail!("three or four arguments are needed"),
    };
    let client =
        async_nats::connect(url.as_str()).await.with_context(|| format!("cannot connect to {url}"))?;
    let mut messages = client.subscribe(subject.clone()).await.context("cannot subscribe")?;
    client.flush().await.context("the subscription was not sent")?;
    println!("ready");
    let (work, gate) = (Arc::new(work), Arc::new(Semaphore::new(AT_ONCE)));
    let mut tasks = JoinSet::new();
    let end = tokio::time::sleep(LIFE);
    tokio::pin!(end);
    loop {
        let message = tokio::select! {
            message = messages.next() => message.context("the connection ended")?,
            () = &mut end => return Ok(()),
        };
        if let Work::Echo = *work {
            answer(&client, &message, message.payload.clone()).await?;
            continue;
        }
        let (client, work) = (client.clone(), work.clone());
        let permit = gate.clone().acquire_owned().await.context("the gate is open")?;
        tasks.spawn(async move {
            let _permit = permit;
            let done = work.of(&message.payload).await;
            answer(&client, &message, done.unwrap_or_else(|error| Bytes::from(format!("{error:#}")))).await
        });
        while let Some(ended) = tasks.try_join_next() {
            ended.context("a worker panicked")??;
        }
    }
}

async fn answer(client: &Client, message: &Message, payload: Bytes) -> anyhow::Result<()> {
    let Some(reply) = message.reply.clone() else { return Ok(()) };
    client.publish(reply, payload).await.context("cannot answer")
}

impl Work {
    fn new(name: &str, actor: Option<&String>) -> anyhow::Result<Self> {
        let wasm = || {
            let file = actor.context("this work needs an actor")?;
            std::fs::read(file).with_context(|| format!("cannot read {file}"))
        };
        let failed = |error: wasmtime::Error| anyhow::anyhow!("the actor cannot be used: {error:#}");
        Ok(match name {
            "echo" => Work::Echo,
            "add" => Work::Add(BareFunction::new(&wasm()?).map_err(failed)?),
            "http" => Work::Http(Bare::new(&wasm()?).map_err(failed)?),
            other => bail!("no work is called {other:?}"),
        })
    }

    async fn of(&self, payload: &Bytes) -> anyhow::Result<Bytes> {
        let failed = |error: wasmtime::Error| anyhow::anyhow!("the guest failed: {error:#}");
        match self {
            Work::Echo => Ok(payload.clone()),
            Work::Add(function) => {
                let (a, b) = payload.split_at_checked(4).context("two numbers are needed")?;
                let number = |bytes: &[u8]| anyhow::Ok(u32::from_le_bytes(bytes.try_into()?));
                let sum = function.add(number(a)?, number(b)?).await.map_err(failed)?;
                Ok(Bytes::copy_from_slice(&sum.unwrap_or(0).to_le_bytes()))
            }
            Work::Http(handler) => {
                let mut instance = handler.instance().await.map_err(failed)?;
                instance.answer().await.map_err(failed)
            }
        }
    }
}
