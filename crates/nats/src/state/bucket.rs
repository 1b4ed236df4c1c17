//! The bucket itself: requests to JetStream over this crate's own reply routing, and the consumer behind a watch.

use std::{collections::BTreeMap, time::Duration};

use async_nats::{
    HeaderMap, StatusCode,
    header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_TTL, NATS_SEQUENCE},
    jetstream::{
        self,
        consumer::{DeliverPolicy, ReplayPolicy, push},
        kv,
    },
};
use bytes::Bytes;
use futures::StreamExt;
use lattice_core::{FactKey, LatticeName, with_causes};

use super::{
    Fact, StateError,
    answer::{self, Stored, StreamState, nanoseconds},
    landmark::{Landmark, Place},
    merge::Slot,
};
use crate::{Connection, RequestError, jetstream_api::ApiError};

/// How long one request to JetStream may take.
const REQUEST_WITHIN: Duration = Duration::from_secs(2);
/// Longest pause between two values while all are read.
const NEXT_WITHIN: Duration = Duration::from_secs(2);
/// How long the server keeps the mark of an expired tombstone, so that no watch misses its end.
const MARKER_KEPT: Duration = Duration::from_secs(60 * 60);

/// The bucket of one lattice.
pub(super) struct Bucket {
    pub(super) conn: Connection,
    pub(super) name: String,
}

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// With the last value of every key.
    All,
    /// After this revision, up to which everything is known.
    After(u64),
}

/// One message of the bucket.
pub(super) struct Entry<'a> {
    /// What stands where a key belongs.
    pub(super) key: &'a str,
    /// The message's place in the stream.
    pub(super) revision: u64,
    /// Values that wait to be delivered after this one.
    pub(super) pending: u64,
    /// When the server stored it, in nanoseconds since 1970.
    pub(super) stored_ns: i64,
    /// True for a mark of JetStream's own: an expired value, or somebody's deletion by hand.
    pub(super) is_marker: bool,
    /// The value.
    pub(super) value: &'a [u8],
}

/// Why a value was not written.
pub(super) enum WriteError {
    /// The key has another revision than the expected one.
    Conflict,
    /// Anything else.
    Failed(StateError),
}

impl Bucket {
    pub(super) fn new(conn: &Connection, lattice: &LatticeName) -> Self {
        Self { conn: conn.clone(), name: FactKey::bucket(lattice) }
    }

    /// The stream's state, having made the bucket if there is none.
    pub(super) async fn ensure(&self) -> Result<StreamState, StateError> {
        if let Some(state) = self.state().await? {
            return Ok(state);
        }
        let config = kv::Config {
            bucket: self.name.clone(),
            description: "Links, configurations and claims of the lattice".to_owned(),
            history: 1,
            num_replicas: 1,
            limit_markers: Some(MARKER_KEPT),
            ..kv::Config::default()
        };
        let made = self.conn.jetstream().create_key_value(config).await;
        // Somebody else may have been faster, or have made it otherwise; then theirs is taken.
        match (self.state().await?, made) {
            (Some(state), _) => Ok(state),
            (None, made) => {
                let why =
                    made.err().map_or_else(|| "it is gone again".to_owned(), |error| with_causes(&error));
                Err(self.refused("the making", why))
            }
        }
    }

    /// The stream's state; none if there is no bucket.
    pub(super) async fn state(&self) -> Result<Option<StreamState>, StateError> {
        let subject = format!("{}.STREAM.INFO.KV_{}", self.conn.js_api(), self.name);
        let answer = self.request(&subject, Bytes::new()).await?;
        answer::state(&answer).map_err(|why| self.refused("a description", why))
    }

    /// The last value under `key` with its revision; a marker of deletion has a revision and an empty value.
    pub(super) async fn read(&self, key: &str) -> Result<Option<(u64, Bytes)>, StateError> {
        let subject = format!("{}.DIRECT.GET.KV_{}.$KV.{}.{key}", self.conn.js_api(), self.name, self.name);
        let answer = self.conn.ask(&subject, HeaderMap::new(), Bytes::new(), REQUEST_WITHIN).await;
        let message = answer.map_err(|source| self.unreachable(source))?;
        if message.status == Some(StatusCode::NOT_FOUND) {
            return Ok(None);
        }
        let sequence = message.headers.as_ref().and_then(|headers| headers.get(NATS_SEQUENCE));
        let revision = sequence.and_then(|text| text.as_str().parse().ok());
        match revision {
            Some(revision) => Ok(Some((revision, message.payload))),
            None => {
                Err(self.refused("a read", format!("the answer has no revision: {:?}", message.description)))
            }
        }
    }

    /// What stands where `landmark` was seen.
    pub(super) async fn place_of(&self, landmark: &Landmark) -> Result<Place, StateError> {
        let at_place = format!(r#"{{"seq":{}}}"#, landmark.revision);
        let subject = format!("{}{}", self.subject_prefix(), landmark.key);
        if let Some(stored) = self.stored(at_place).await? {
            let is_same = stored.is_of(&subject, landmark.stored_ns);
            return Ok(if is_same { Place::TheSame } else { Place::Another });
        }
        let last = self.stored(format!(r#"{{"last_by_subj":"{subject}"}}"#)).await?;
        Ok(Place::Empty { last_of_key: last.map(|stored| stored.seq) })
    }

    /// The message that is asked for, as the stream's leader has it: what others have may be older.
    async fn stored(&self, which: String) -> Result<Option<Stored>, StateError> {
        let subject = format!("{}.STREAM.MSG.GET.KV_{}", self.conn.js_api(), self.name);
        let answer = self.request(&subject, Bytes::from(which)).await?;
        answer::stored(&answer).map_err(|why| self.refused("a message", why))
    }

    /// Writes `value` if `expected` is the key's last revision (0: there is none), and answers with the new revision. It
    /// expires after `kept`, where the bucket can do that: one that somebody else made may not.
    pub(super) async fn write(
        &self,
        key: &str,
        value: Bytes,
        expected: u64,
        kept: Option<Duration>,
    ) -> Result<u64, WriteError> {
        let mut answer = self.try_write(key, value.clone(), expected, kept).await?;
        if answer.as_ref().is_err_and(|error| error.err_code == ApiError::TTL_DISABLED) {
            answer = self.try_write(key, value, expected, None).await?;
        }
        answer.map_err(|error| match error.is_conflict() {
            true => WriteError::Conflict,
            false => WriteError::Failed(self.refused("a write", error.to_string())),
        })
    }

    async fn try_write(
        &self,
        key: &str,
        value: Bytes,
        expected: u64,
        kept: Option<Duration>,
    ) -> Result<Result<u64, ApiError>, WriteError> {
        // In a domain, the server maps the subjects of its buckets under the prefix of its interface.
        let prefix = self.conn.js_domain().map_or(String::new(), |_| format!("{}.", self.conn.js_api()));
        let subject = format!("{prefix}$KV.{}.{key}", self.name);
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string());
        if let Some(kept) = kept {
            headers.insert(NATS_MESSAGE_TTL, kept.as_secs().to_string());
        }
        let answer = self.conn.ask(&subject, headers, value, REQUEST_WITHIN).await;
        let message = answer.map_err(|source| WriteError::Failed(self.unreachable(source)))?;
        answer::written(&message.payload).map_err(|why| WriteError::Failed(self.refused("a write", why)))
    }

    /// All that the bucket holds now, by key. What stands under a key and is no fact is there as a revision alone; leases
    /// are left out.
    pub(super) async fn read_all(&self) -> Result<BTreeMap<FactKey, Slot>, StateError> {
        let (mut messages, mut pending) = self.consume(Begin::All).await?;
        let mut all = BTreeMap::new();
        while pending > 0 {
            let failed = |why: String| self.refused("a read of everything", why);
            let message = match tokio::time::timeout(NEXT_WITHIN, messages.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => return Err(failed(with_causes(&error))),
                Ok(None) => return Err(failed("it ended early".to_owned())),
                Err(_) => return Err(failed(format!("nothing came for {NEXT_WITHIN:?}"))),
            };
            let entry = self.entry(&message).map_err(failed)?;
            pending = entry.pending;
            let Ok(key) = FactKey::parse(entry.key) else { continue };
            if key.is_lasting() {
                let fact = Fact::read(&key, entry.value).ok().filter(|_| !entry.is_marker);
                all.insert(key, Slot { revision: entry.revision, fact });
            }
        }
        Ok(all)
    }

    /// What a message of a consumer holds; the text says why it is none of the bucket's.
    pub(super) fn entry<'a>(&self, message: &'a jetstream::Message) -> Result<Entry<'a>, String> {
        let info = message.info().map_err(|error| error.to_string())?;
        let key = message.subject.strip_prefix(self.subject_prefix().as_str()).unwrap_or_default();
        let is_marker = message.headers.as_ref().is_some_and(|headers| {
            headers.get("KV-Operation").is_some() || headers.get("Nats-Marker-Reason").is_some()
        });
        let (revision, pending) = (info.stream_sequence, info.pending);
        let stored_ns = nanoseconds(info.published);
        Ok(Entry { key, revision, pending, stored_ns, is_marker, value: &message.payload })
    }

    /// A consumer of what there is from a place on, and then of every change; and how many values it has to deliver first.
    pub(super) async fn consume(&self, from: Begin) -> Result<(push::Ordered, u64), StateError> {
        let refused = |why: String| self.refused("a watch", why);
        let context = self.conn.jetstream();
        let stream = context.get_stream_no_info(format!("KV_{}", self.name)).await;
        let config = push::OrderedConfig {
            deliver_subject: self.conn.client().new_inbox(),
            description: Some("watch of a host".to_owned()),
            filter_subject: format!("{}>", self.subject_prefix()),
            replay_policy: ReplayPolicy::Instant,
            deliver_policy: match from {
                Begin::All => DeliverPolicy::LastPerSubject,
                Begin::After(revision) => DeliverPolicy::ByStartSequence { start_sequence: revision + 1 },
            },
            ..push::OrderedConfig::default()
        };
        let stream = stream.map_err(|error| refused(with_causes(&error)))?;
        let consumer = stream.create_consumer(config).await.map_err(|error| refused(with_causes(&error)))?;
        let pending = consumer.cached_info().num_pending;
        let messages = consumer.messages().await.map_err(|error| refused(with_causes(&error)))?;
        Ok((messages, pending))
    }

    /// What stands before the key in the subject of a message.
    pub(super) fn subject_prefix(&self) -> String {
        format!("$KV.{}.", self.name)
    }

    async fn request(&self, subject: &str, body: Bytes) -> Result<Bytes, StateError> {
        let answer = self.conn.request(subject, body, REQUEST_WITHIN).await;
        answer.map_err(|source| self.unreachable(source))
    }

    fn unreachable(&self, source: RequestError) -> StateError {
        StateError::Unreachable { bucket: self.name.clone(), source }
    }

    fn refused(&self, what: &str, why: String) -> StateError {
        StateError::Refused { bucket: self.name.clone(), what: what.to_owned(), why }
    }
}
