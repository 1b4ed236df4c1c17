//! What waits to be sent. Messages that come from many calls at the same time leave together: one write to the socket instead of one
//! for each, which is most of what a small message costs.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::message::OutboundMessage;
use futures::FutureExt as _;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::yield_now,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    entry::{CALLS_MAX, Entry},
    failure::REASON_MAX,
    post::{PUBLISH_WITHIN, Post},
    slot::Slot,
};

/// Messages that wait.
const WAITING_MAX: usize = 16 * 1024;
/// Places that whole messages leave to notes: one for each call that can be made and each that can be served.
const NOTES_ROOM: usize = 2 * CALLS_MAX;
/// The largest body that waits, in bytes: larger ones fill a write by themselves, and many of them would fill memory. Every note fits.
const BODY_MAX: usize = REASON_MAX;
/// Messages that leave together at most.
const TOGETHER_MAX: usize = 256;
/// How long others that are about to send may be waited for. Whoever is busy with something longer is not.
const GATHER_WITHIN: Duration = Duration::from_millis(1);
/// For how long nobody is waited for, once it took longer.
const HURRY: Duration = Duration::from_millis(100);

/// A message to be sent.
pub(crate) struct Parcel {
    message: OutboundMessage,
    /// Since when it waits.
    since: Instant,
    whose: Whose,
}

/// Whom a message concerns.
pub(crate) enum Whose {
    /// A whole request. It does not leave once the call has ended, and where it cannot leave, the call ends.
    Request(Arc<Slot>),
    /// A whole reply. Its call counts as open until it has left.
    Reply(Entry),
    /// A message about a call, which nobody waits for.
    Note,
}

impl Parcel {
    pub(crate) fn new(message: OutboundMessage, whose: Whose) -> Self {
        Self { message, since: Instant::now(), whose }
    }

    /// Leaves, in what is left of the time that it may wait for a full socket.
    pub(crate) async fn leave(self, post: &Post) {
        let Self { message, since, whose } = self;
        if matches!(&whose, Whose::Request(slot) if slot.has_ended()) {
            return;
        }
        let within = PUBLISH_WITHIN.saturating_sub(since.elapsed());
        let Err(failure) = post.publish_within(message, within).await else { return };
        match whose {
            // Nothing was sent, so there is nothing to cancel.
            Whose::Request(slot) => drop(slot.fail(failure)),
            Whose::Reply(entry) => {
                tracing::debug!(id = %entry.slot().about.id, ?failure, "a reply was not sent");
            }
            Whose::Note => tracing::debug!(?failure, "a message about a call was not sent"),
        }
    }
}

/// Takes messages in.
pub(crate) struct Outbox {
    waiting: mpsc::Sender<Parcel>,
    /// The socket is full: whoever would wait here rather waits for it himself, so that each gets his turn.
    full: Arc<AtomicBool>,
}

/// Has the messages that wait, for whoever [sends](Waiting::send) them.
pub(crate) struct Waiting {
    parcels: mpsc::Receiver<Parcel>,
    full: Arc<AtomicBool>,
}

pub(crate) fn outbox() -> (Outbox, Waiting) {
    let (waiting, parcels) = mpsc::channel(WAITING_MAX);
    let full = Arc::new(AtomicBool::new(false));
    (Outbox { waiting, full: Arc::clone(&full) }, Waiting { parcels, full })
}

impl Outbox {
    /// Takes a small message, in the order in which all are taken; gives back one that is large, or had better not wait here.
    pub(crate) fn put(&self, parcel: Parcel) -> Option<Parcel> {
        let may_wait = match parcel.whose {
            Whose::Note => true,
            Whose::Request(_) | Whose::Reply(_) => {
                !self.full.load(Ordering::Relaxed) && self.waiting.capacity() > NOTES_ROOM
            }
        };
        if !may_wait || parcel.message.payload.len() > BODY_MAX {
            return Some(parcel);
        }
        match self.waiting.try_send(parcel) {
            Ok(()) => None,
            Err(TrySendError::Full(parcel) | TrySendError::Closed(parcel)) => Some(parcel),
        }
    }
}

impl Waiting {
    /// Sends what waits until `stop`, and then what is there.
    pub(crate) async fn send(mut self, post: Arc<Post>, stop: CancellationToken) {
        let mut together = Vec::with_capacity(TOGETHER_MAX);
        let mut hurry_until = Instant::now();
        loop {
            let come = tokio::select! {
                biased;
                come = self.parcels.recv_many(&mut together, TOGETHER_MAX) => come,
                () = stop.cancelled() => return,
            };
            if come == 0 {
                return;
            }
            self.gather(&mut together, &mut hurry_until).await;
            for parcel in together.drain(..) {
                self.send_one(parcel, &post).await;
            }
        }
    }

    async fn send_one(&self, parcel: Parcel, post: &Post) {
        let mut leaving = pin!(parcel.leave(post));
        if leaving.as_mut().now_or_never().is_none() {
            self.full.store(true, Ordering::Relaxed);
            leaving.await;
            self.full.store(false, Ordering::Relaxed);
        }
    }

    /// Lets those run first that are ready to, and takes what they send.
    async fn gather(&mut self, together: &mut Vec<Parcel>, hurry_until: &mut Instant) {
        let began = Instant::now();
        if began < *hurry_until {
            return;
        }
        let let_all_run = timeout(GATHER_WITHIN, yield_now()).await;
        let now = Instant::now();
        if let_all_run.is_err() || now - began > GATHER_WITHIN {
            *hurry_until = now + HURRY;
        }
        while together.len() < TOGETHER_MAX
            && let Ok(parcel) = self.parcels.try_recv()
        {
            together.push(parcel);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use lattice_core::{EntityId, InvocationId};

    use super::{
        super::{
            caller::Caller,
            slot::{About, Machine},
        },
        *,
    };

    fn message(number: usize, bytes: usize) -> OutboundMessage {
        let (subject, payload) = (number.to_string().into(), Bytes::from(vec![0; bytes]));
        OutboundMessage { subject, reply: None, payload, headers: None }
    }

    fn note(number: usize, bytes: usize) -> Parcel {
        Parcel::new(message(number, bytes), Whose::Note)
    }

    fn request(number: usize) -> Parcel {
        let now = Instant::now();
        let about = About {
            id: InvocationId::from_bits(1),
            target: EntityId::new("greeter").unwrap(),
            writer: EntityId::new("greeter").unwrap(),
            asked: number.to_string().into(),
            names: None,
            host: false,
        };
        let slot = Slot::new(about, Machine::Caller(Caller::new(now, now, 0)), None);
        Parcel::new(message(number, 0), Whose::Request(Arc::new(slot)))
    }

    #[test]
    fn small_ones_wait_in_their_order_and_what_does_not_fit_comes_back() {
        let (outbox, mut waiting) = outbox();
        assert!(outbox.put(note(0, BODY_MAX)).is_none());
        assert!(outbox.put(note(1, BODY_MAX + 1)).is_some(), "a large one");
        for number in 1..WAITING_MAX - NOTES_ROOM {
            assert!(outbox.put(request(number)).is_none());
        }
        assert!(outbox.put(request(0)).is_some(), "the rest is for notes");
        for number in WAITING_MAX - NOTES_ROOM..WAITING_MAX {
            assert!(outbox.put(note(number, 0)).is_none());
        }
        assert!(outbox.put(note(WAITING_MAX, 0)).is_some(), "there is no room");
        for number in 0..WAITING_MAX {
            assert_eq!(waiting.parcels.try_recv().unwrap().message.subject.as_str(), number.to_string());
        }
        drop(waiting);
        assert!(outbox.put(note(0, 0)).is_some(), "nobody sends any more");
    }

    #[test]
    fn while_the_socket_is_full_only_notes_wait_here() {
        let (outbox, waiting) = outbox();
        waiting.full.store(true, Ordering::Relaxed);
        assert!(outbox.put(request(0)).is_some());
        assert!(outbox.put(note(0, 0)).is_none());
        waiting.full.store(false, Ordering::Relaxed);
        assert!(outbox.put(request(0)).is_none());
    }
}
