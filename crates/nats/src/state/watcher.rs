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
    Fact,
    answer::StreamState,
    bucket::{Begin, Entry},
    check::{Ended, Known, Standing, compare, standing},
    landmark::{Landmark, Landmarks, Says},
    memory::StreamMark,
    reunion,
    store::{Progress, Shared},
};
use crate::jitter;

/// How often the stream is asked whether the watch still sees it.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// The longest pause before another watch is made.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Keeps the view until `stop`.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut failures = 0_u32;
    // Only what a snapshot remembers is taken for complete: a watch that was given up may have missed something.
    let mut is_first = true;
    loop {
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = watch(&shared, is_first) => ended,
        };
        is_first &= matches!(ended, Ended::NotMade(_));
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
async fn watch(shared: &Shared, resume: bool) -> Ended {
    match follow(shared, resume).await {
        Ok(never) => match never {},
        Err(ended) => ended,
    }
}

async fn follow(shared: &Shared, resume: bool) -> Result<std::convert::Infallible, Ended> {
    let stream = shared.bucket.ensure().await?;
    let mark = shared.progress.borrow().mark.clone();
    let mut standing = standing(mark.as_ref(), shared.known().is_empty(), &stream);
    let mut doubted = None;
    if let (Standing::Same, Some(mark)) = (standing, &mark) {
        match find_again(shared, &mark.landmarks).await {
            Err(Ended::SetBack { revision }) => {
                tracing::warn!(revision, "the lattice's bucket was set back and written since");
                standing = Standing::Merge;
            }
            Ok(true) => {}
            // Asked again at the next look.
            Ok(false) | Err(_) => doubted = Some(mark.landmarks.clone()),
        }
    }
    let from = match standing {
        Standing::New => Begin::All,
        Standing::Same => mark.filter(|_| resume).map_or(Begin::All, |mark| Begin::After(mark.revision)),
        Standing::Merge => {
            reunion::merge(shared).await?;
            // What counted for the stream as it was says nothing of what it has become.
            shared.progress.send_modify(|progress| progress.mark = None);
            Begin::All
        }
    };
    begin(shared, &stream, from, doubted);
    let (mut messages, pending) = shared.bucket.consume(from).await?;
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
            // In this order: a lost connection is heard of before what the next one brings is taken in.
            biased;
            Ok(()) = connected.changed() => {
                doubt(shared);
                check.reset_immediately();
            }
            _ = check.tick() => due = look(shared, &stream, due).await?,
            message = messages.next() => match message {
                Some(Ok(message)) => take(shared, &stream, &message)?,
                Some(Err(error)) => return Err(Ended::Failed(error.to_string())),
                None => return Err(Ended::Stream),
            },
        }
    }
}

/// The connection was lost or is there again: what comes from now on may be of a stream that was set back.
fn doubt(shared: &Shared) {
    shared.progress.send_modify(|progress| {
        let landmarks = &progress.landmarks;
        progress.doubted.get_or_insert_with(|| landmarks.clone());
    });
}

/// Asks the stream how it stands to what was delivered of it; the revision that is due at the next check.
async fn look(shared: &Shared, watched: &StreamState, due: u64) -> Result<u64, Ended> {
    match shared.bucket.state().await {
        Ok(now) => {
            let due = compare(watched, now.as_ref(), known_of(shared, watched), due)?;
            let landmarks = shared.progress.borrow().known_by().clone();
            if find_again(shared, &landmarks).await? {
                shared.progress.send_modify(|progress| progress.doubted = None);
            }
            Ok(due)
        }
        Err(error) => {
            // Not knowing is no reason to give a watch up.
            tracing::debug!(%error, "the lattice's bucket does not answer");
            Ok(due)
        }
    }
}

/// Looks for the newest messages that were seen; mostly the first is there, and that is all. False if the bucket did not answer.
async fn find_again(shared: &Shared, landmarks: &Landmarks) -> Result<bool, Ended> {
    for landmark in landmarks.iter() {
        match shared.bucket.place_of(landmark).await.map(|place| landmark.says(&place)) {
            Ok(Says::Whole) => return Ok(true),
            Ok(Says::SetBack) => return Err(Ended::SetBack { revision: landmark.revision }),
            Ok(Says::Nothing) => {}
            Err(error) => {
                // As above.
                tracing::debug!(%error, "the lattice's bucket does not answer");
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn known_of(shared: &Shared, watched: &StreamState) -> Known {
    let progress = shared.progress.borrow();
    let mark = progress.mark.as_ref().filter(|mark| mark.created == watched.created);
    Known { delivered: progress.delivered, reach: mark.map_or(0, StreamMark::reach) }
}

/// Takes one message in.
fn take(shared: &Shared, stream: &StreamState, message: &jetstream::Message) -> Result<(), Ended> {
    let entry = shared.bucket.entry(message).map_err(Ended::Failed)?;
    let key = entry.key;
    pass(shared, &entry);
    match FactKey::parse(key).map_err(|error| error.to_string()) {
        Ok(parsed) if !parsed.is_lasting() => {}
        // An expired tombstone, or somebody else's deletion: absence deletes nothing.
        Ok(_) if entry.is_marker => tracing::debug!(key, "a marker in the lattice's bucket was passed over"),
        Ok(parsed) => match Fact::read(&parsed, entry.value) {
            Ok(fact) => shared.join(parsed, fact),
            Err(why) => tracing::warn!(key, why, "a value in the lattice's bucket was passed over"),
        },
        Err(why) => tracing::warn!(key, why, "a key in the lattice's bucket was passed over"),
    }
    reached(shared, stream, entry.revision, entry.pending == 0);
    Ok(())
}

/// Remembers a message by which the stream is known again, unless it goes by itself: leases and tombstones expire.
fn pass(shared: &Shared, entry: &Entry<'_>) {
    let lasts = FactKey::parse(entry.key).is_ok_and(|key| {
        key.is_lasting()
            && !entry.is_marker
            && Fact::read(&key, entry.value).is_ok_and(|fact| fact.kept().is_none())
    });
    let (revision, stored_ns) = (entry.revision, entry.stored_ns);
    shared.progress.send_modify(|progress| match lasts {
        true => progress.landmarks.pass(Landmark { key: entry.key.to_owned(), revision, stored_ns }),
        false => progress.landmarks.forget(entry.key),
    });
}

/// Notes how far the watch is. Once nothing is pending, it has all that there was when it was made, whatever revisions
/// the stream has dropped since.
fn reached(shared: &Shared, stream: &StreamState, revision: u64, nothing_pending: bool) {
    shared.progress.send_modify(|progress| {
        progress.current |= nothing_pending;
        let revision = if progress.current { revision.max(stream.last) } else { revision };
        progress.delivered = progress.delivered.max(revision);
        if progress.current {
            let before = progress.mark.take().filter(|mark| mark.created == stream.created);
            let written = before.map_or(0, |mark| mark.written);
            let (created, revision) = (stream.created.clone(), progress.delivered);
            let landmarks = progress.known_by().clone();
            progress.mark = Some(StreamMark { created, revision, written, landmarks });
        }
    });
}

/// Notes which stream is being read, and from where on.
fn begin(shared: &Shared, stream: &StreamState, from: Begin, doubted: Option<Landmarks>) {
    let delivered = match from {
        Begin::All => 0,
        Begin::After(revision) => revision,
    };
    shared.progress.send_modify(|progress| {
        let mark = progress.mark.take();
        let landmarks = match (&mark, from) {
            (Some(mark), Begin::After(_)) => mark.landmarks.clone(),
            _ => Landmarks::default(),
        };
        let created = stream.created.clone();
        *progress = Progress { created, delivered, current: false, landmarks, doubted, mark };
    });
}
