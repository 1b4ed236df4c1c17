//! One JetStream bucket: the requests it understands, each bounded in time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use lattice_contracts::keyvalue::KeyvalueError;
use lattice_nats::{Connection, HeaderMap, RequestError, jetstream};
use tokio::time::Instant;

use crate::entry::{ApiError, Entry, OPERATION, WRITE, read_ack, read_description, read_entry};

/// The longest a single request waits, however far away the deadline of its call is.
const REQUEST_MOST: Duration = Duration::from_secs(5);
/// What the headers of a write may take of the server's `max_payload`.
const HEADERS_BYTES_MAX: usize = 512;
/// How long a deletion can be told from a key that never was; nobody reads the difference for longer.
const MARKER_KEPT: Duration = Duration::from_secs(60 * 60);

/// A bucket.
#[derive(Clone)]
pub(crate) struct Bucket {
    conn: Connection,
    name: Arc<str>,
    markers_expire: Arc<AtomicBool>,
}

/// Why a write was not made, or not certainly.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The key has another revision than the expected one.
    Conflict,
    /// Nobody knows: the answer did not come.
    Unknown(KeyvalueError),
    /// It was certainly not made.
    Failed(KeyvalueError),
}

impl From<WriteError> for KeyvalueError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Conflict => {
                Self::Backend { why: "another writer of the same key was faster".to_owned() }
            }
            WriteError::Unknown(error) | WriteError::Failed(error) => error,
        }
    }
}

impl Bucket {
    pub(crate) fn new(conn: &Connection, name: &str) -> Self {
        Self { conn: conn.clone(), name: Arc::from(name), markers_expire: Arc::default() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Makes sure that the bucket is there, made with `replicas` where it may be.
    ///
    /// # Errors
    /// The reason, as the state of a link tells it.
    pub(crate) async fn ensure(&self, create: bool, replicas: usize) -> Result<(), String> {
        let why = |error: String| format!("bucket {} cannot be opened: {error}", self.name);
        match self.describe().await {
            Ok(()) => return Ok(()),
            Err(Undescribed::Missing) if create => {}
            Err(Undescribed::Missing) => {
                return Err(why("it does not exist; make it, or set create=true on the link".into()));
            }
            Err(Undescribed::Failed(error)) => return Err(why(error)),
        }
        let config = jetstream::kv::Config {
            bucket: self.name.to_string(),
            description: "Values of actors".to_owned(),
            history: 1,
            num_replicas: replicas,
            limit_markers: Some(MARKER_KEPT),
            ..jetstream::kv::Config::default()
        };
        let made = self.conn.jetstream().create_key_value(config).await;
        match (self.describe().await, made) {
            // Somebody else may have been faster, or have made it otherwise: then theirs is taken.
            (Ok(()), _) => Ok(()),
            (Err(Undescribed::Failed(error)), _) => Err(why(error)),
            (Err(Undescribed::Missing), Err(error)) => Err(why(innermost(&error))),
            (Err(Undescribed::Missing), Ok(_)) => Err(why("it is gone again".into())),
        }
    }

    async fn describe(&self) -> Result<(), Undescribed> {
        let subject = format!("{}.STREAM.INFO.KV_{}", self.conn.js_api(), self.name);
        let answer = self.conn.request(&subject, Bytes::new(), REQUEST_MOST).await.map_err(|error| {
            Undescribed::Failed(match error {
                RequestError::NoResponders { .. } => {
                    "the NATS server has no JetStream for this user".to_owned()
                }
                error => error.to_string(),
            })
        })?;
        let described = read_description(&answer).map_err(|error| match error.is_no_stream() {
            true => Undescribed::Missing,
            false => Undescribed::Failed(error.to_string()),
        })?;
        self.markers_expire.store(described.markers_expire, Ordering::Relaxed);
        Ok(())
    }

    /// What a key holds now. The stream's leader answers: followers, which answer "direct" gets too, may be behind.
    pub(crate) async fn read(&self, key: &str, deadline: Instant) -> Result<Entry, KeyvalueError> {
        let subject = format!("{}.STREAM.MSG.GET.KV_{}", self.conn.js_api(), self.name);
        let question = format!(r#"{{"last_by_subj":"$KV.{}.{key}"}}"#, self.name);
        let answer = self.conn.request(&subject, question.into(), time_for_one(deadline)).await;
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        read_entry(&answer).map_err(|error| self.refused(&error))
    }

    /// Writes a value, whatever is there.
    pub(crate) async fn put(&self, key: &str, value: Bytes, deadline: Instant) -> Result<u64, WriteError> {
        self.write(key, HeaderMap::new(), value, deadline).await
    }

    /// Writes a value if `expected` is the key's revision (0: it was never written).
    pub(crate) async fn put_if(
        &self,
        key: &str,
        value: Bytes,
        expected: u64,
        write: &str,
        deadline: Instant,
    ) -> Result<u64, WriteError> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Expected-Last-Subject-Sequence", expected.to_string());
        headers.insert(WRITE, write);
        self.write(key, headers, value, deadline).await
    }

    /// Removes a value and everything before it; what stays is a marker, for a while where the bucket lets it expire.
    pub(crate) async fn remove(&self, key: &str, deadline: Instant) -> Result<(), WriteError> {
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, "PURGE");
        headers.insert("Nats-Rollup", "sub");
        if self.markers_expire.load(Ordering::Relaxed) {
            headers.insert("Nats-TTL", MARKER_KEPT.as_secs().to_string());
        }
        self.write(key, headers, Bytes::new(), deadline).await.map(drop)
    }

    async fn write(
        &self,
        key: &str,
        headers: HeaderMap,
        value: Bytes,
        deadline: Instant,
    ) -> Result<u64, WriteError> {
        let (size, max) = (value.len(), self.conn.max_payload().saturating_sub(HEADERS_BYTES_MAX));
        if size > max {
            return Err(WriteError::Failed(KeyvalueError::TooLarge { what: "value", size, max }));
        }
        // In a domain, the server maps the subjects of its buckets under the prefix of its interface.
        let prefix = self.conn.js_domain().map_or(String::new(), |_| format!("{}.", self.conn.js_api()));
        let subject = format!("{prefix}$KV.{}.{key}", self.name);
        let answer = self.conn.ask(&subject, headers, value, time_for_one(deadline)).await;
        let answer = answer.map_err(|error| match error {
            RequestError::Timeout { .. } => WriteError::Unknown(self.unreachable(&error)),
            error => WriteError::Failed(self.unreachable(&error)),
        })?;
        read_ack(&answer.payload).map_err(|error| match error {
            error if error.is_conflict() => WriteError::Conflict,
            error if error.is_too_large() => WriteError::Failed(beyond_the_bucket_s(size)),
            error => WriteError::Failed(self.refused(&error)),
        })
    }

    /// The store as async-nats has it, for what it does well: listing.
    pub(crate) async fn store(&self) -> Result<jetstream::kv::Store, KeyvalueError> {
        let store = self.conn.jetstream().get_key_value(&*self.name).await;
        store.map_err(|error| self.failed(innermost(&error)))
    }

    pub(crate) fn failed(&self, why: String) -> KeyvalueError {
        KeyvalueError::Backend { why: format!("bucket {}: {why}", self.name) }
    }

    fn refused(&self, error: &ApiError) -> KeyvalueError {
        self.failed(error.to_string())
    }

    fn unreachable(&self, error: &RequestError) -> KeyvalueError {
        match error {
            RequestError::Denied { .. } => KeyvalueError::AccessDenied { why: error.to_string() },
            RequestError::NoResponders { .. } => self.failed("it is gone, or JetStream is".to_owned()),
            error => self.failed(error.to_string()),
        }
    }
}

enum Undescribed {
    Missing,
    Failed(String),
}

fn time_for_one(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).min(REQUEST_MOST)
}

/// The bucket's own limit counts the headers too, so even a value of no bytes can be beyond it; what the limit is, the
/// server does not say.
fn beyond_the_bucket_s(size: usize) -> KeyvalueError {
    KeyvalueError::TooLarge { what: "value", size, max: size.saturating_sub(1) }
}

/// The last of an error's causes says what happened.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_an_empty_value_can_be_too_large() {
        for (size, expected) in [(0, 0), (1, 0), (1024, 1023)] {
            let KeyvalueError::TooLarge { max, .. } = beyond_the_bucket_s(size) else {
                panic!("another error")
            };
            assert_eq!(max, expected);
        }
    }
}
