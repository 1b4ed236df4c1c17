//! A lease: one host at a time does what one alone should do.
//!
//! A key with the name of its holder, which expires by itself (`Nats-TTL`) and is renewed by compare-and-set on its own last
//! revision. A bucket that somebody else made may not know expiry; so whoever waits also takes over a lease that has not
//! been renewed for as long as it should have lasted, by its own clock. Clocks of different hosts are never compared.

use std::time::Duration;

use bytes::Bytes;
use lattice_core::{FactKey, HostId};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{
    StateError,
    bucket::{Bucket, WriteError},
};
use crate::jitter;

/// How long a lease lasts without being renewed.
const LASTS: Duration = Duration::from_secs(5);
/// How often it is renewed: often enough that one lost renewal loses nothing.
const RENEW_EVERY: Duration = Duration::from_millis(1500);
/// How often who waits looks again.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The value of a lease's key. Unknown fields are ignored; a missing holder reads as nobody, which is free.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    /// The host that holds it; none once it was given back.
    #[serde(default)]
    holder: Option<String>,
}

/// What is seen of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    revision: u64,
    holder: Option<String>,
}

/// A lease that is held. Dropped without [`Lease::release`] it expires by itself.
pub(super) struct Lease<'a> {
    bucket: &'a Bucket,
    key: String,
    holder: String,
    revision: u64,
}

/// How waiting for a lease ended.
pub(super) enum Turn<'a> {
    /// It is ours.
    Ours(Lease<'a>),
    /// Whoever had it is done with it: look whether anything is left to do.
    TheirsIsOver,
}

/// True if a lease may be taken: it is nobody's, or ours from before, or has not been renewed for as long as it lasts.
fn is_free(look: &Look, me: &str, unchanged_for: Duration) -> bool {
    look.holder.as_deref().is_none_or(|holder| holder == me) || unchanged_for >= LASTS
}

/// Waits, at most for `patience`, until the lease is ours or somebody else's is over; none when that is too long.
pub(super) async fn wait_for<'a>(
    bucket: &'a Bucket,
    name: &str,
    me: &HostId,
    patience: Duration,
) -> Result<Option<Turn<'a>>, StateError> {
    let (key, me) = (FactKey::Lease(name.to_owned()).to_string(), me.to_string());
    let until = Instant::now() + patience;
    let mut seen: Option<(Look, Instant)> = None;
    while Instant::now() < until {
        let look = look_at(bucket, &key).await?;
        let since = match &seen {
            Some((before, since)) if *before == look => *since,
            Some((before, _)) if before.holder.is_some() && look.holder != before.holder => {
                return Ok(Some(Turn::TheirsIsOver));
            }
            _ => Instant::now(),
        };
        if is_free(&look, &me, since.elapsed()) {
            let lease = Lease { bucket, key: key.clone(), holder: me.clone(), revision: look.revision };
            match lease.write(Some(me.clone()), LASTS).await {
                Ok(revision) => return Ok(Some(Turn::Ours(Lease { revision, ..lease }))),
                // Somebody was faster.
                Err(WriteError::Conflict) => {}
                Err(WriteError::Failed(error)) => return Err(error),
            }
        }
        seen = Some((look, since));
        sleep(LOOK_EVERY.mul_f64(0.5 + jitter::fraction())).await;
    }
    Ok(None)
}

async fn look_at(bucket: &Bucket, key: &str) -> Result<Look, StateError> {
    Ok(match bucket.read(key).await? {
        None => Look { revision: 0, holder: None },
        // The mark of one that expired is empty.
        Some((revision, value)) if value.is_empty() => Look { revision, holder: None },
        Some((revision, value)) => Look { revision, holder: holder_in(&value) },
    })
}

/// Whose the lease with that value is. What does not read is taken for somebody's, until it has not changed for long enough.
pub(super) fn holder_in(value: &[u8]) -> Option<String> {
    serde_json::from_slice(value).map_or(Some(String::new()), |held: Held| held.holder)
}

impl Lease<'_> {
    /// Renews it for as long as this is polled. Ends only when it is lost.
    pub(super) async fn keep(&mut self) {
        loop {
            sleep(RENEW_EVERY).await;
            match self.write(Some(self.holder.clone()), LASTS).await {
                Ok(revision) => self.revision = revision,
                Err(WriteError::Conflict) => return,
                // It is tried again in time, or is lost with the connection.
                Err(WriteError::Failed(error)) => tracing::debug!(%error, "a lease was not renewed"),
            }
        }
    }

    /// Gives it back. One that cannot be given back expires.
    pub(super) async fn release(self) {
        if let Err(WriteError::Failed(error)) = self.write(None, Duration::from_secs(1)).await {
            tracing::debug!(%error, "a lease was not given back; it expires");
        }
    }

    async fn write(&self, holder: Option<String>, lasts: Duration) -> Result<u64, WriteError> {
        let value = serde_json::to_vec(&Held { holder }).expect("two strings can be written as JSON");
        self.bucket.write(&self.key, Bytes::from(value), self.revision, Some(lasts)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_take_it() {
        let look = |holder: Option<&str>| Look { revision: 1, holder: holder.map(str::to_owned) };
        assert!(is_free(&look(None), "me", Duration::ZERO));
        assert!(is_free(&look(Some("me")), "me", Duration::ZERO), "a host that came back");
        assert!(!is_free(&look(Some("you")), "me", LASTS / 2));
        assert!(is_free(&look(Some("you")), "me", LASTS), "a bucket without expiry");
    }

    #[test]
    fn missing_and_unknown_fields() {
        let read = |text: &str| serde_json::from_str::<Held>(text).map(|held| held.holder);
        assert_eq!(read("{}").unwrap(), None);
        assert_eq!(read(r#"{"holder":"N","since":1}"#).unwrap().as_deref(), Some("N"));
    }
}
