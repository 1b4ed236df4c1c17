//! The clock that all calls of a connection share: signs of life, silence, deadlines; and the marks after a thaw.

use std::{sync::Arc, time::Duration};

use async_nats::message::OutboundMessage;
use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior};

use super::{
    entry::Shared,
    pulse::{LATE, TICK},
};

/// How often a mark that does not come back is sent again.
const MARK_AGAIN: Duration = Duration::from_secs(1);

/// One clock for all calls: signs of life, silence, deadlines.
pub(crate) async fn tick(shared: Arc<Shared>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    let mut marking = Marking { thaws: 0, sent: last };
    loop {
        interval.tick().await;
        let now = Instant::now();
        // Whoever did not listen cannot say that the others were silent.
        let deaf = marking.tick(&shared, now) || now.duration_since(last) > TICK + LATE;
        last = now;
        for slot in shared.routes.all() {
            shared.post.note_of(&slot, slot.tick(now, deaf));
        }
    }
}

/// Sends marks until they come back.
struct Marking {
    thaws: u64,
    sent: Instant,
}

impl Marking {
    /// True if the process was thawed since the last tick.
    fn tick(&mut self, shared: &Shared, now: Instant) -> bool {
        let thaws = shared.pulse.thaws(now);
        let thawed = thaws > self.thaws;
        let missing = thaws > shared.pulse.last_marked() && now >= self.sent + MARK_AGAIN;
        if thawed {
            tracing::warn!(
                "this process did not run for more than a second; calls that waited meanwhile are not run"
            );
        }
        if thawed || missing {
            (self.thaws, self.sent) = (thaws, now);
            let to = shared.post.back(&shared.post.me, 0);
            shared.post.note(OutboundMessage {
                subject: to,
                reply: None,
                payload: Bytes::from(thaws.to_string()),
                headers: None,
            });
        }
        thawed
    }
}
