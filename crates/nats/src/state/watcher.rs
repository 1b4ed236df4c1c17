//! The one watch that keeps the view, made anew whenever it ends, fails, falls behind or looks at another stream.
//!
//! A watch of async-nats over a bucket that was wiped says nothing for ever, so the stream itself is asked every 2 s
//! and after each reconnect.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream;
use futures::StreamExt;
use lattice_core::FactKey;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{
    Fact, StateError,
    bucket::StreamState,
    store::{Progress, Shared},
};
use crate::jitter;

/// How often the stream is asked whether the watch still sees it.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// The longest pause before another watch is made.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Why a watch came to its end.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("it cannot be made: {0}")]
    NotMade(#[from] StateError),
    #[error("it ended")]
    Stream,
    #[error("it failed: {0}")]
    Failed(String),
    #[error("the bucket is gone")]
    Gone,
    #[error("the bucket was replaced by another")]
    Replaced,
    #[error("the bucket fell back from revision {from} to {to}")]
    FellBack { from: u64, to: u64 },
    #[error("it is behind: revision {delivered} of {last} after 2 s")]
    Behind { delivered: u64, last: u64 },
}

/// Keeps the view until `stop`.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut failures = 0_u32;
    loop {
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = watch(&shared) => ended,
        };
        let was_current = shared.progress.borrow().current;
        shared.progress.send_modify(|progress| progress.current = false);
        failures = if was_current { 0 } else { failures.saturating_add(1) };
        let known = shared.known().len();
        if failures < 3 {
            tracing::warn!(reason = %ended, facts = known, "the watch of the lattice's state is made anew; what is known is kept");
        } else {
            tracing::debug!(reason = %ended, facts = known, "the watch of the lattice's state is made anew");
        }
        let pause = Duration::from_millis(50).saturating_mul(1 << failures.min(6)).min(PAUSE_MAX);
        tokio::select! {
            () = stop.cancelled() => return,
            () = pause_connected(&shared, pause) => {}
        }
    }
}

/// Waits for the connection, and then for a part of `pause`.
async fn pause_connected(shared: &Shared, pause: Duration) {
    let mut connected = shared.bucket.conn.connected();
    // It only fails when the connection's owner is gone, and then this task is stopped as well.
    let _ = connected.wait_for(|connected| *connected).await;
    tokio::time::sleep(pause.mul_f64(0.5 + 0.5 * jitter::fraction())).await;
}

/// One watch, from its making to its end.
async fn watch(shared: &Shared) -> Ended {
    match follow(shared).await {
        Ok(never) => match never {},
        Err(ended) => ended,
    }
}

async fn follow(shared: &Shared) -> Result<std::convert::Infallible, Ended> {
    let stream = shared.bucket.ensure().await?;
    note_stream(shared, &stream);
    let (mut messages, pending) = shared.bucket.consume().await?;
    if pending == 0 {
        reached(shared, &stream, stream.last, true);
    }
    let mut connected = shared.bucket.conn.connected();
    connected.mark_unchanged();
    let mut check = tokio::time::interval(CHECK_EVERY);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    check.tick().await;
    // The stream's last revision at the previous check: by the next one it has to be here.
    let mut due = 0;
    loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(Ok(message)) => take(shared, &stream, &message)?,
                Some(Err(error)) => return Err(Ended::Failed(error.to_string())),
                None => return Err(Ended::Stream),
            },
            Ok(()) = connected.changed() => check.reset_immediately(),
            _ = check.tick() => due = compare(shared, &stream, due).await?,
        }
    }
}

/// Compares the stream with what was delivered of it; the revision that is due at the next check.
async fn compare(shared: &Shared, watched: &StreamState, due: u64) -> Result<u64, Ended> {
    let now = match shared.bucket.state().await {
        Ok(Some(now)) => now,
        Ok(None) => return Err(Ended::Gone),
        Err(error) => {
            // Not knowing is no reason to give a watch up.
            tracing::debug!(%error, "the lattice's bucket does not answer");
            return Ok(due);
        }
    };
    let delivered = shared.progress.borrow().delivered;
    if now.created != watched.created {
        return Err(Ended::Replaced);
    }
    if now.last < delivered {
        return Err(Ended::FellBack { from: delivered, to: now.last });
    }
    if delivered < due {
        return Err(Ended::Behind { delivered, last: now.last });
    }
    Ok(now.last)
}

/// Takes one message in.
fn take(shared: &Shared, stream: &StreamState, message: &jetstream::Message) -> Result<(), Ended> {
    let info = message.info().map_err(|error| Ended::Failed(error.to_string()))?;
    let prefix = shared.bucket.subject_prefix();
    let key = message.subject.strip_prefix(prefix.as_str()).unwrap_or_default();
    let is_marker = message.headers.as_ref().is_some_and(|headers| {
        headers.get("KV-Operation").is_some() || headers.get("Nats-Marker-Reason").is_some()
    });
    if is_marker {
        // An expired tombstone, or somebody else's deletion: absence deletes nothing.
        tracing::debug!(key, "a marker in the lattice's bucket was passed over");
    } else {
        match FactKey::parse(key).map_err(|error| error.to_string()) {
            Ok(parsed) => match Fact::read(&parsed, &message.payload) {
                Ok(fact) => shared.join(parsed, fact),
                Err(why) => tracing::warn!(key, why, "a value in the lattice's bucket was passed over"),
            },
            Err(why) => tracing::warn!(key, why, "a key in the lattice's bucket was passed over"),
        }
    }
    let done = info.pending == 0;
    reached(shared, stream, info.stream_sequence, done);
    Ok(())
}

/// Notes how far the watch is. Once nothing is pending, it has all that there was when it was made, whatever revisions
/// the stream has dropped since.
fn reached(shared: &Shared, stream: &StreamState, revision: u64, nothing_pending: bool) {
    shared.progress.send_modify(|progress| {
        progress.current |= nothing_pending;
        let revision = if progress.current { revision.max(stream.last) } else { revision };
        progress.delivered = progress.delivered.max(revision);
    });
}

/// Notes which stream is being read.
fn note_stream(shared: &Shared, stream: &StreamState) {
    shared.progress.send_modify(|progress| {
        if !progress.created.is_empty() && progress.created != stream.created {
            let facts = shared.known().len();
            tracing::warn!(
                facts,
                "the lattice's bucket was replaced; what this host knows of the old one is kept"
            );
        }
        *progress = Progress { created: stream.created.clone(), delivered: 0, current: false };
    });
}
