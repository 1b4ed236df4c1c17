//! One request, asked as often as is safe.
//!
//! A queue group hands a request to any of its members, and to a frozen one as well until the broker has given its connection
//! up, which may take it minutes. So a question that any host may answer is asked anew when nobody has answered for a while: the
//! next one picked may be awake. What changes something is not: whoever is silent may do it late, over what was done since. It is asked
//! anew only where a host says that it has not done it, since it was frozen while the request waited.

use std::time::Duration;

use bytes::Bytes;
use lattice_core::HostId;
use lattice_nats::{Message, Question, RequestError};
use serde::de::IgnoredAny;
use tokio::time::{Instant, sleep_until};

use super::{Client, decode};
use crate::{ControlError, CtlResponse, STALE};

/// Whoever was asked is silent for so long: another one is asked. A host may wait half a second until it has read what was written last.
const AGAIN_AFTER: Duration = Duration::from_millis(700);
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
    /// Whether it changes something. Then each asking is signed by itself: a host takes a signature once.
    pub(super) changes: bool,
    /// The host that is asked for, if it is a certain one.
    pub(super) host: Option<&'a HostId>,
}

impl Asking<'_> {
    /// The answer, be it a refusal.
    pub(super) async fn answer(&self) -> Result<Message, ControlError> {
        let mut question = self.client.conn.question(self.subject, ANSWERS);
        let until = Instant::now() + self.client.timeout;
        let answer = match (self.changes, self.host) {
            (true, _) => self.until_taken(&mut question, until).await,
            (false, Some(_)) => self.once(&mut question, until).await,
            (false, None) => self.of_any(&mut question, until).await,
        };
        answer.map_err(|error| ControlError::of_request(error, self.what, self.host, &self.client.lattice))?
    }

    async fn once(&self, question: &mut Question<'_>, until: Instant) -> Outcome {
        if let Err(error) = self.ask(question, until).await? {
            return Ok(Err(error));
        }
        let answer = question.answer(until).await?;
        answer.map(Ok).ok_or_else(|| self.nobody())
    }

    /// Asks until somebody answers.
    async fn of_any(&self, question: &mut Question<'_>, until: Instant) -> Outcome {
        let mut first = true;
        while first || Instant::now() < until {
            let patience = until.min(Instant::now() + AGAIN_AFTER);
            match self.ask(question, until).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Ok(Err(error)),
                Err(error) if first => return Err(error),
                // Who was asked before may answer still.
                Err(_) => {}
            }
            loop {
                match question.answer(patience).await {
                    Ok(Some(answer)) => return Ok(Ok(answer)),
                    Ok(None) => break,
                    Err(error) if first => return Err(error),
                    Err(_) => {}
                }
            }
            first = false;
        }
        Err(self.nobody())
    }

    /// Asks until it is not refused as stale.
    async fn until_taken(&self, question: &mut Question<'_>, until: Instant) -> Outcome {
        loop {
            let answer = self.once(question, until).await?;
            let awake = Instant::now() + AWAKE_AFTER;
            match answer {
                Ok(answer) if awake < until && is_stale(self.what, &answer.payload) => {
                    sleep_until(awake).await
                }
                answer => return Ok(answer),
            }
        }
    }

    async fn ask(
        &self,
        question: &Question<'_>,
        until: Instant,
    ) -> Result<Result<(), ControlError>, RequestError> {
        let headers = match self.client.headers(self.changes, self.subject, self.what, &self.body) {
            Ok(headers) => headers,
            Err(error) => return Ok(Err(error)),
        };
        let left = until.saturating_duration_since(Instant::now());
        question.ask(headers, self.body.clone(), left).await.map(Ok)
    }

    fn nobody(&self) -> RequestError {
        RequestError::Timeout { subject: self.subject.to_owned(), after: self.client.timeout }
    }
}

/// What came back, or why nothing was sent; or what the connection says.
type Outcome = Result<Result<Message, ControlError>, RequestError>;

fn is_stale(what: &str, answer: &[u8]) -> bool {
    decode::<CtlResponse<IgnoredAny>>(what, answer)
        .is_ok_and(|answer| !answer.success && answer.code.as_deref() == Some(STALE))
}
