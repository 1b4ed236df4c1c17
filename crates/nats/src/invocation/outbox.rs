//! What waits to be sent. Messages that come from many calls at the same time leave together: one write to the socket instead of one
//! for each, which is most of what a small message costs.

use std::{sync::Arc, time::Duration};

use async_nats::message::OutboundMessage;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{failure::REASON_MAX, post::Post};

/// Messages that wait. More than there can be calls, so that each has room for a note.
const WAITING_MAX: usize = 16 * 1024;
/// The largest body that waits, in bytes: larger ones fill a write by themselves, and many of them would fill memory. Every note fits.
const BODY_MAX: usize = REASON_MAX;
/// Messages that leave together at most.
const TOGETHER_MAX: usize = 256;
/// How long others that are about to send may be waited for. Whoever is busy with something longer is not.
const GATHER_WITHIN: Duration = Duration::from_millis(1);
/// For how long nobody is waited for, once it took longer.
const HURRY: Duration = Duration::from_millis(100);

/// Takes messages in.
pub(crate) struct Outbox(mpsc::Sender<OutboundMessage>);

/// Has the messages that wait, for whoever [sends](Waiting::send) them.
pub(crate) struct Waiting(mpsc::Receiver<OutboundMessage>);

pub(crate) fn outbox() -> (Outbox, Waiting) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (Outbox(sender), Waiting(receiver))
}

impl Outbox {
    /// Takes a small message, in the order in which all are taken; gives back one that is large, or for which there is no room.
    pub(crate) fn put(&self, message: OutboundMessage) -> Option<OutboundMessage> {
        if message.payload.len() > BODY_MAX {
            return Some(message);
        }
        match self.0.try_send(message) {
            Ok(()) => None,
            Err(TrySendError::Full(message) | TrySendError::Closed(message)) => Some(message),
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
                come = self.0.recv_many(&mut together, TOGETHER_MAX) => come,
                () = stop.cancelled() => return,
            };
            if come == 0 {
                return;
            }
            self.gather(&mut together, &mut hurry_until).await;
            for message in together.drain(..) {
                if let Err(failure) = post.publish(message).await {
                    tracing::debug!(?failure, "a message of a call was not sent");
                }
            }
        }
    }

    /// Lets those run first that are ready to, and takes what they send.
    async fn gather(&mut self, together: &mut Vec<OutboundMessage>, hurry_until: &mut Instant) {
        let began = Instant::now();
        if began < *hurry_until {
            return;
        }
        tokio::task::yield_now().await;
        let now = Instant::now();
        if now - began > GATHER_WITHIN {
            *hurry_until = now + HURRY;
        }
        while together.len() < TOGETHER_MAX
            && let Ok(message) = self.0.try_recv()
        {
            together.push(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(number: usize, bytes: usize) -> OutboundMessage {
        let (subject, payload) = (number.to_string().into(), Bytes::from(vec![0; bytes]));
        OutboundMessage { subject, reply: None, payload, headers: None }
    }

    #[test]
    fn small_ones_wait_in_their_order_and_what_does_not_fit_comes_back() {
        let (outbox, mut waiting) = outbox();
        assert!(outbox.put(message(0, BODY_MAX)).is_none());
        assert!(outbox.put(message(1, BODY_MAX + 1)).is_some(), "a large one");
        for number in 1..WAITING_MAX {
            assert!(outbox.put(message(number, 0)).is_none());
        }
        assert!(outbox.put(message(WAITING_MAX, 0)).is_some(), "there is no room");
        for number in 0..WAITING_MAX {
            assert_eq!(waiting.0.try_recv().unwrap().subject.as_str(), number.to_string());
        }
        drop(waiting);
        assert!(outbox.put(message(0, 0)).is_some(), "nobody sends any more");
    }
}
