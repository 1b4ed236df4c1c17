//! What comes back to a connection, and what its broker refuses: to the calls that they concern.

use std::sync::Arc;

use async_nats::{Message, StatusCode, Subject};
use bytes::Bytes;
use lattice_core::BackSubject;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};

use super::{
    entry::Shared,
    header::{Header, Kind},
    post::{W, message},
};
use crate::{Refused, Subscription, Violation};

/// Empties the subscription of what comes back; never waits for anybody.
pub(crate) async fn route(shared: Arc<Shared>, mut subscription: Subscription) {
    while let Some(message) = subscription.next().await {
        route_one(&shared, message);
    }
}

fn route_one(shared: &Shared, incoming: Message) {
    let Some(back) = BackSubject::parse(&incoming.subject) else { return };
    if back.call == 0 {
        let thaw = std::str::from_utf8(&incoming.payload).ok().and_then(|text| text.parse().ok());
        if let (Some(thaw), true) = (thaw, back.writer == shared.post.me.as_str()) {
            shared.pulse.mark(thaw);
        }
        return;
    }
    let slot = shared.routes.find(back.call, back.writer);
    if incoming.status == Some(StatusCode::NO_RESPONDERS) {
        slot.inspect(|slot| slot.no_responders());
        return;
    }
    let header = incoming.headers.as_ref().and_then(|headers| headers.get(W)).map(|value| value.as_str());
    let Some(Ok(header)) = header.map(Header::decode) else {
        tracing::debug!(subject = %incoming.subject, "a message about a call does not read");
        return;
    };
    // Where to answer is the sender's to say, but only within what is the other side's to read.
    let reply = incoming.reply.as_ref().filter(|reply| is_back_subject(shared, reply));
    match slot {
        Some(slot) if slot.about.id == header.id => {
            let note = slot.message(Instant::now(), &header, incoming.payload, reply.cloned());
            shared.post.note_of(&slot, note);
        }
        _ => {
            // Whoever names a subject still works on a call that nobody waits for.
            if let Some(to) = reply {
                let cancel = Header::new(Kind::Cancel, header.id);
                shared.post.note(message(to.clone(), None, &cancel, Bytes::new()));
            }
        }
    }
}

fn is_back_subject(shared: &Shared, reply: &Subject) -> bool {
    BackSubject::parse(reply)
        .is_some_and(|back| back.lattice == shared.post.lattice.as_str() && back.call != 0)
}

/// Ends the calls whose subjects the broker refuses.
pub(crate) async fn end_refused(shared: Arc<Shared>, mut violations: Receiver<Violation>) {
    loop {
        match violations.recv().await {
            Ok(violation) if violation.refused == Refused::Publish => {
                for slot in shared.routes.all() {
                    slot.denied(&violation.subject);
                }
            }
            // Calls whose refusal was missed end by silence.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
