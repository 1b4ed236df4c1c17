//! Asking whichever host the broker picks.
//!
//! A queue group hands a request to any of its members, and to a frozen one as well until the broker has given its connection
//! up, which takes it minutes. So what any host may answer is asked anew when nobody has answered for a while: the next
//! one picked may be awake. What changes the lattice comes to the same when two hosts do it.

use std::time::Duration;

use bytes::Bytes;
use lattice_nats::{Message, RequestError};
use serde::de::IgnoredAny;
use tokio::time::Instant;

use super::{Client, decode};
use crate::{ControlError, CtlResponse};

/// Whoever was asked is silent for so long: another one is asked. The state's bucket may take a host half a second.
const AGAIN_AFTER: Duration = Duration::from_millis(700);
/// The longest that a refusal waits for the answers to other askings: of two hosts that did the same, the second may say that it was
/// done already.
const OTHERS_WITHIN: Duration = Duration::from_millis(500);
/// Answers that are taken; more askings than that have long got one.
const ANSWERS: usize = 16;

/// One request to any host, as often as it takes.
pub(super) struct AnyHost<'a> {
    pub(super) client: &'a Client,
    pub(super) subject: &'a str,
    pub(super) what: &'a str,
    pub(super) body: Bytes,
    /// Whether each asking is signed, by itself: a host takes a signature once.
    pub(super) signed: bool,
}

impl AnyHost<'_> {
    /// The first answer that is no refusal; else the last refusal.
    pub(super) async fn answer(&self) -> Result<Message, ControlError> {
        let mut question = self.client.conn.question(self.subject, ANSWERS);
        let until = Instant::now() + self.client.timeout;
        let mut refusal = None;
        for asked in 1_u32.. {
            let left = until.saturating_duration_since(Instant::now());
            let headers = self.client.headers(self.signed, self.subject, self.what, &self.body)?;
            question.ask(headers, self.body.clone(), left).await.map_err(|error| self.failed(error))?;
            let mut patience = until.min(Instant::now() + AGAIN_AFTER);
            while let Some(answer) = question.answer(patience).await.map_err(|error| self.failed(error))? {
                if asked == 1 || !self.refuses(&answer) {
                    return Ok(answer);
                }
                refusal = Some(answer);
                patience = patience.min(Instant::now() + OTHERS_WITHIN);
            }
            match refusal {
                Some(refusal) => return Ok(refusal),
                None if Instant::now() >= until => break,
                None => {}
            }
        }
        let subject = self.subject.to_owned();
        Err(self.failed(RequestError::Timeout { subject, after: self.client.timeout }))
    }

    fn refuses(&self, answer: &Message) -> bool {
        decode::<CtlResponse<IgnoredAny>>(self.what, &answer.payload).is_ok_and(|answer| !answer.success)
    }

    fn failed(&self, error: RequestError) -> ControlError {
        ControlError::of_request(error, self.what, None, &self.client.lattice)
    }
}
