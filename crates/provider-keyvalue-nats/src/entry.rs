//! Answers of JetStream: the last message of a key, and the acknowledgement of a write.

use bytes::Bytes;
use data_encoding::BASE64;
use serde::Deserialize;

/// Says in a message which write made it, so that a writer whose acknowledgement was lost can tell whether it was its own.
pub(crate) const WRITE: &str = "Lattice-Write";
/// Set on markers: what was deleted, by whom ever.
pub(crate) const OPERATION: &str = "KV-Operation";
const MARKER_REASON: &str = "Nats-Marker-Reason";

const NO_MESSAGE: u64 = 10037;
const STREAM_NOT_FOUND: u64 = 10059;
const WRONG_LAST_SEQUENCE: u64 = 10071;
const WRONG_LAST_SEQUENCE_CONSTANT: u64 = 10164;
const MESSAGE_TOO_LARGE: u64 = 10054;

/// What a key holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// None where the key was never written, or was deleted.
    pub(crate) value: Option<Bytes>,
    /// Of the last message, a marker's too; 0 where there is none.
    pub(crate) revision: u64,
    /// Which write made it.
    pub(crate) write: Option<String>,
}

/// An error of JetStream's interface. Unknown fields are ignored, missing ones read as 0 and empty.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub(crate) struct ApiError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.description, self.err_code)
    }
}

impl ApiError {
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self.err_code, WRONG_LAST_SEQUENCE | WRONG_LAST_SEQUENCE_CONSTANT)
    }
    pub(crate) fn is_too_large(&self) -> bool {
        self.err_code == MESSAGE_TOO_LARGE
    }
    pub(crate) fn is_no_stream(&self) -> bool {
        self.err_code == STREAM_NOT_FOUND
    }
    fn unreadable(why: impl std::fmt::Display) -> Self {
        Self { err_code: 0, description: format!("unreadable answer: {why}") }
    }
}

/// Reads the answer to a question for the last message of a key.
pub(crate) fn read_entry(answer: &[u8]) -> Result<Entry, ApiError> {
    #[derive(Deserialize)]
    struct Answer {
        message: Option<Message>,
        error: Option<ApiError>,
    }
    #[derive(Deserialize)]
    struct Message {
        seq: u64,
        #[serde(default)]
        hdrs: String,
        #[serde(default)]
        data: String,
    }
    let answer: Answer = serde_json::from_slice(answer).map_err(ApiError::unreadable)?;
    let message = match (answer.message, answer.error) {
        (_, Some(error)) if error.err_code == NO_MESSAGE => return Ok(Entry::default()),
        (_, Some(error)) => return Err(error),
        (None, None) => return Err(ApiError::unreadable("it holds no message")),
        (Some(message), None) => message,
    };
    let headers = BASE64.decode(message.hdrs.as_bytes()).map_err(ApiError::unreadable)?;
    let headers = String::from_utf8_lossy(&headers);
    let header = |wanted: &str| {
        let named = headers.lines().filter_map(|line| line.split_once(':'));
        named.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim()).next()
    };
    let deleted = header(MARKER_REASON).is_some() || matches!(header(OPERATION), Some("DEL" | "PURGE"));
    let value = match deleted {
        true => None,
        false => Some(BASE64.decode(message.data.as_bytes()).map_err(ApiError::unreadable)?.into()),
    };
    Ok(Entry { value, revision: message.seq, write: header(WRITE).map(str::to_owned) })
}

/// Reads the acknowledgement of a write: the new revision.
pub(crate) fn read_ack(answer: &[u8]) -> Result<u64, ApiError> {
    #[derive(Deserialize)]
    struct Ack {
        seq: Option<u64>,
        error: Option<ApiError>,
    }
    let ack: Ack = serde_json::from_slice(answer).map_err(ApiError::unreadable)?;
    match (ack.seq, ack.error) {
        (_, Some(error)) => Err(error),
        (Some(revision), None) => Ok(revision),
        (None, None) => Err(ApiError::unreadable("it holds no revision")),
    }
}

/// What a stream says of itself, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    /// A marker may say when it shall go.
    pub(crate) markers_expire: bool,
}

/// Reads a stream's description.
pub(crate) fn read_description(answer: &[u8]) -> Result<Described, ApiError> {
    #[derive(Deserialize)]
    struct Info {
        config: Option<Config>,
        error: Option<ApiError>,
    }
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        allow_msg_ttl: bool,
        #[serde(default)]
        allow_rollup_hdrs: bool,
    }
    let info: Info = serde_json::from_slice(answer).map_err(ApiError::unreadable)?;
    match (info.config, info.error) {
        (_, Some(error)) => Err(error),
        (Some(config), None) if config.allow_rollup_hdrs => {
            Ok(Described { markers_expire: config.allow_msg_ttl })
        }
        (Some(_), None) => {
            let description = "the stream is no key-value bucket: it does not allow roll-ups".to_owned();
            Err(ApiError { err_code: 0, description })
        }
        (None, None) => Err(ApiError::unreadable("it holds no configuration")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(headers: &str, data: &str) -> Vec<u8> {
        let (headers, data) = (BASE64.encode(headers.as_bytes()), BASE64.encode(data.as_bytes()));
        serde_json::json!({ "message": { "subject": "s", "seq": 7, "hdrs": headers, "data": data } })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn what_messages_mean() {
        for (headers, data, value) in [
            ("", "x", Some("x")),
            ("NATS/1.0\r\nLattice-Write: 1\r\n\r\n", "x", Some("x")),
            ("NATS/1.0\r\nKV-Operation: DEL\r\n\r\n", "", None),
            ("NATS/1.0\r\nKV-Operation: PURGE\r\nNats-Rollup: sub\r\n\r\n", "", None),
            ("NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\n\r\n", "", None),
        ] {
            let entry = read_entry(&answer(headers, data)).unwrap();
            assert_eq!(
                (entry.value.as_deref(), entry.revision),
                (value.map(str::as_bytes), 7),
                "{headers:?}"
            );
            assert_eq!(entry.write.as_deref(), headers.contains("Lattice-Write").then_some("1"));
        }
        let none = br#"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#;
        assert_eq!(read_entry(none), Ok(Entry::default()));
        let conflict = br#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence"}}"#;
        assert!(read_ack(conflict).unwrap_err().is_conflict());
        assert_eq!(read_ack(br#"{"stream":"KV_a","seq":3}"#), Ok(3));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            drop((read_entry(&bytes), read_ack(&bytes), read_description(&bytes)));
        }
    }
}
