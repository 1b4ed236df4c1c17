//! One request, asked as often as it takes.
//!
//! A queue group hands a request to any of its members, and to a frozen one as well until the broker has given its connection
//! up, which takes it minutes. So what any host may answer is asked anew when nobody has answered for a while: the next
//! one picked may be awake. What changes the lattice comes to the same when two hosts do it. A host that was frozen while a request waited
//! for it says so and has done nothing, and is asked anew as well.

use std::time::Duration;

use bytes::Bytes;
use lattice_core::HostId;
use lattice_nats::{Message, Question, RequestError};
use serde::de::IgnoredAny;
use tokio::time::Instant;

use super::{Client, decode};
use crate::{ControlError, CtlResponse, STALE};

/// Whoever was asked is silent for so long: another one is asked. The state's bucket may take a host half a second.
const AGAIN_AFTER: Duration = Duration::from_millis(700);
/// The longest that a refusal waits for the answers to other askings: of two hosts that did the same, the second may say that it was
/// done already.
const OTHERS_WITHIN: Duration = Duration::from_millis(500);
/// A host that was frozen has taken all that waited by then.
const AWAKE_AFTER: Duration = Duration::from_millis(100);
/// Answers that wait to be looked at; more askings than that have long got one.
const ANSWERS: usize = 16;

/// One request to one host or to any.
pub(super) struct Asking<'a> {
    pub(super) client: &'a Client,
    pub(super) subject: &'a str,
    pub(super) what: &'a str,
    pub(super) body: Bytes,
    /// Whether each asking is signed, by itself: a host takes a signature once.
    pub(super) signed: bool,
    /// The host that is asked for, if it is a certain one.
    pub(super) host: Option<&'a HostId>,
}

/// What came of one asking.
enum Turn {
    Answered(Message),
    /// Nobody has done anything yet.
    Again,
}

/// What an answer is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Done,
    Refused,
    Stale,
}

impl Asking<'_> {
    /// The first answer that is no refusal; else the last refusal.
    pub(super) async fn answer(&self) -> Result<Message, ControlError> {
        let mut question = self.client.conn.question(self.subject, ANSWERS);
        let until = Instant::now() + self.client.timeout;
        let mut askings = 0_u32;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let headers = self.client.headers(self.signed, self.subject, self.what, &self.body)?;
            question.ask(headers, self.body.clone(), left).await.map_err(|error| self.failed(error))?;
            askings += 1;
            match self.turn(&mut question, askings, until).await? {
                Turn::Answered(answer) => return Ok(answer),
                Turn::Again if Instant::now() < until => {}
                Turn::Again => {
                    let subject = self.subject.to_owned();
                    return Err(self.failed(RequestError::Timeout { subject, after: self.client.timeout }));
                }
            }
        }
    }

    /// Waits for what one asking brings, or an earlier one.
    async fn turn(
        &self,
        question: &mut Question<'_>,
        askings: u32,
        until: Instant,
    ) -> Result<Turn, ControlError> {
        let mut patience = match self.host {
            Some(_) => until,
            None => until.min(Instant::now() + AGAIN_AFTER),
        };
        let mut refusal = None;
        while let Some(answer) = question.answer(patience).await.map_err(|error| self.failed(error))? {
            match kind(self.what, &answer.payload) {
                Kind::Done => return Ok(Turn::Answered(answer)),
                Kind::Refused if askings == 1 => return Ok(Turn::Answered(answer)),
                Kind::Refused => {
                    refusal = Some(answer);
                    patience = patience.min(Instant::now() + OTHERS_WITHIN);
                }
                Kind::Stale => patience = patience.min(Instant::now() + AWAKE_AFTER),
            }
        }
        Ok(refusal.map_or(Turn::Again, Turn::Answered))
    }

    fn failed(&self, error: RequestError) -> ControlError {
        ControlError::of_request(error, self.what, self.host, &self.client.lattice)
    }
}

fn kind(what: &str, answer: &[u8]) -> Kind {
    match decode::<CtlResponse<IgnoredAny>>(what, answer) {
        Ok(answer) if answer.success => Kind::Done,
        Ok(answer) if answer.code.as_deref() == Some(STALE) => Kind::Stale,
        Ok(_) => Kind::Refused,
        // Whoever reads it says what is wrong with it.
        Err(_) => Kind::Done,
    }
}
