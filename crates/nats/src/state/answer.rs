//! What JetStream answers about the bucket, read. Nothing is believed of an answer but what it says in so many words: the text of an
//! error says what is missing.

use serde::{Deserialize, de::DeserializeOwned};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::jetstream_api::ApiError;

/// What the stream behind the bucket says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamState {
    /// When it was made: another time is another stream.
    pub(super) created: String,
    /// The revision of the last message.
    pub(super) last: u64,
}

/// A message as the stream's leader describes it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Stored {
    subject: String,
    /// Its place in the stream.
    pub(super) seq: u64,
    time: String,
}

impl Stored {
    /// Whether it stands under that subject since that time, in nanoseconds since 1970.
    pub(super) fn is_of(&self, subject: &str, stored_ns: i64) -> bool {
        let time = OffsetDateTime::parse(&self.time, &Rfc3339);
        self.subject == subject && time.is_ok_and(|time| nanoseconds(time) == stored_ns)
    }
}

/// The state of the stream; none if there is none.
pub(super) fn state(answer: &[u8]) -> Result<Option<StreamState>, String> {
    #[derive(Deserialize)]
    struct Info {
        created: Option<String>,
        state: Option<State>,
        error: Option<ApiError>,
    }
    #[derive(Deserialize)]
    struct State {
        last_seq: u64,
    }
    match read(answer)? {
        Info { error: Some(error), .. } if error.err_code == ApiError::STREAM_NOT_FOUND => Ok(None),
        Info { error: Some(error), .. } => Err(error.to_string()),
        Info { created: Some(created), state: Some(state), .. } => {
            Ok(Some(StreamState { created, last: state.last_seq }))
        }
        _ => Err("the answer holds none".to_owned()),
    }
}

/// The message that was asked for; none if there is none.
pub(super) fn stored(answer: &[u8]) -> Result<Option<Stored>, String> {
    #[derive(Deserialize)]
    struct Answer {
        message: Option<Stored>,
        error: Option<ApiError>,
    }
    match read(answer)? {
        Answer { error: Some(error), .. } if error.err_code == ApiError::NO_MESSAGE => Ok(None),
        Answer { error: Some(error), .. } => Err(error.to_string()),
        Answer { message: Some(stored), .. } => Ok(Some(stored)),
        _ => Err("the answer holds none".to_owned()),
    }
}

/// The revision of what was written, or why it was not.
pub(super) fn written(answer: &[u8]) -> Result<Result<u64, ApiError>, String> {
    #[derive(Deserialize)]
    struct Ack {
        seq: Option<u64>,
        error: Option<ApiError>,
    }
    match read(answer)? {
        Ack { error: Some(error), .. } => Ok(Err(error)),
        Ack { seq: Some(seq), .. } => Ok(Ok(seq)),
        _ => Err("no revision came back".to_owned()),
    }
}

fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, String> {
    serde_json::from_slice(answer).map_err(|error| format!("unreadable answer: {error}"))
}

/// Since 1970; enough until the year 2262.
pub(super) fn nanoseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jetstream_says() {
        let info = br#"{"type":"io","created":"2026-11-21T01:17:37Z","state":{"last_seq":7,"bytes":1}}"#;
        assert_eq!(
            state(info),
            Ok(Some(StreamState { created: "2026-11-21T01:17:37Z".to_owned(), last: 7 }))
        );
        assert_eq!(
            state(br#"{"error":{"code":404,"err_code":10059,"description":"stream not found"}}"#),
            Ok(None)
        );
        assert_eq!(state(b"{}"), Err("the answer holds none".to_owned()));
        assert!(state(b"<html>").unwrap_err().starts_with("unreadable answer"));
        let message = br#"{"message":{"subject":"$KV.B.k","seq":3,"time":"1970-01-01T00:00:01.5Z"}}"#;
        let message = stored(message).unwrap().unwrap();
        assert_eq!(message.seq, 3);
        assert!(message.is_of("$KV.B.k", 1_500_000_000) && !message.is_of("$KV.B.j", 1_500_000_000));
        assert!(!message.is_of("$KV.B.k", 1_500_000_001));
        assert_eq!(stored(br#"{"error":{"err_code":10037}}"#), Ok(None));
        assert_eq!(
            stored(br#"{"error":{"code":503,"description":"no leader"}}"#),
            Err("no leader (503, 0)".to_owned())
        );
        assert_eq!(written(br#"{"stream":"KV_B","seq":9}"#), Ok(Ok(9)));
        assert!(written(br#"{"error":{"err_code":10071}}"#).unwrap().unwrap_err().is_conflict());
        assert_eq!(written(b"{}"), Err("no revision came back".to_owned()));
    }
}
