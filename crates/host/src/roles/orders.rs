//! Which orders of admins this host has seen. An order is given once: a fact that brings back an older one, or the same one after it was
//! taken away, counts nothing here, whoever wrote it.
//!
//! An order may be lost, late or repeated as a message: it is the fact that counts, and of a fact each host sees a version after the other.
//! A host that has seen an order at one version never takes it at a later one; one that has not seen it (a new host, or one that was away
//! until it was taken back) cannot know.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lattice_nats::{Loaded, SnapshotError, SnapshotFile, SnapshotKind};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

const KIND: SnapshotKind = SnapshotKind { name: "orders", version: 1 };
/// Keys of which an order is remembered; beyond them the one with the oldest order is forgotten.
const KEYS_MAX: usize = 4096;
/// Orders that were put back and of which nobody was told yet.
const PUT_BACK_MAX: usize = 64;
/// After so long a write that failed is tried again.
const WRITE_AGAIN: Duration = Duration::from_secs(10);
/// How long the disk may take.
const KEEP_WITHIN: Duration = Duration::from_secs(10);
/// How much of a writer's name is told: whoever writes may write what he likes.
const WRITER_CHARS: usize = 64;

/// An order as a fact brings it. Missing fields read as of a fact that nothing is later than.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given {
    /// When the admin signed, in milliseconds since 1970.
    #[serde(default)]
    pub(crate) issued_ms: u64,
    /// The version of the fact.
    #[serde(default)]
    pub(crate) version: u64,
}

impl Given {
    /// Whether it may count where `latest` was seen: given later, or the very same and not written anew since.
    fn counts_after(self, latest: Given) -> bool {
        self.issued_ms > latest.issued_ms
            || (self.issued_ms == latest.issued_ms && self.version <= latest.version)
    }
}

/// An order that is over and stands in the bucket again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PutBack {
    /// As `role.U…` or `trust.A…`.
    pub(crate) about: String,
    /// The host as which the fact was written.
    pub(crate) writer: String,
}

/// The latest order of each thing that was ordered, as `role.U…`. Unknown fields are ignored, missing ones are none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    #[serde(default)]
    latest: BTreeMap<String, Given>,
}

impl Remembered {
    fn may_count(&self, about: &str, given: Given) -> bool {
        self.latest.get(about).is_none_or(|latest| given.counts_after(*latest))
    }

    /// True if that changed anything.
    fn note(&mut self, about: &str, given: Given) -> bool {
        let is_news = self.latest.get(about).is_none_or(|latest| given.issued_ms > latest.issued_ms);
        if is_news {
            self.latest.insert(about.to_owned(), given);
            if self.latest.len() > KEYS_MAX {
                let oldest = self.latest.iter().min_by_key(|(_, given)| given.issued_ms);
                let oldest = oldest.map(|(about, _)| about.clone());
                oldest.and_then(|about| self.latest.remove(&about));
            }
        }
        is_news
    }
}

/// What is remembered, and on disk; cheap to clone.
#[derive(Clone)]
pub(crate) struct Orders {
    seen: Arc<Mutex<Remembered>>,
    put_back: Arc<Mutex<Vec<PutBack>>>,
    /// Counts what was noted, and how much of it is on disk.
    changed: watch::Sender<u64>,
    kept: watch::Sender<u64>,
    /// None for a host that keeps nothing.
    file: Option<SnapshotFile>,
}

impl Orders {
    /// What earlier lives remembered in `folder`. Blocks for a moment.
    ///
    /// # Errors
    /// When the file is there and cannot be looked at.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Self, SnapshotError> {
        let file = folder.map(|folder| SnapshotFile::new(folder.join("orders.snapshot"), KIND));
        let seen: Remembered = match file.as_ref().map(SnapshotFile::read).transpose()? {
            None | Some(Loaded::Absent) => Remembered::default(),
            Some(Loaded::Whole(seen)) => seen,
            Some(Loaded::Aside(aside)) => {
                warn!("{aside}; which orders of admins were taken back is not known to this host any more");
                Remembered::default()
            }
        };
        Ok(Self {
            seen: Arc::new(Mutex::new(seen)),
            put_back: Arc::default(),
            changed: watch::Sender::new(0),
            kept: watch::Sender::new(0),
            file,
        })
    }

    /// Whether an order may count that a fact brings now, which `writer` wrote.
    pub(crate) fn may_count(&self, about: &str, given: Given, writer: &str) -> bool {
        let may = self.lock().may_count(about, given);
        if !may {
            let mut back = self.put_back.lock().unwrap_or_else(PoisonError::into_inner);
            if back.len() < PUT_BACK_MAX {
                back.push(PutBack {
                    about: about.to_owned(),
                    writer: writer.chars().take(WRITER_CHARS).collect(),
                });
            }
        }
        may
    }

    /// This one counts, or ends all that were given before it.
    pub(crate) fn note(&self, about: &str, given: Given) {
        if self.lock().note(about, given) {
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// By how much the latest order that is known was given later than one of `issued_ms`.
    pub(crate) fn later_by(&self, about: &str, issued_ms: u64) -> Option<Duration> {
        let latest = self.lock().latest.get(about).copied()?;
        (latest.issued_ms > issued_ms).then(|| Duration::from_millis(latest.issued_ms - issued_ms))
    }

    /// Looks whenever the lattice changed, tells of orders that were put back, and keeps on disk what was seen. Changes that come together
    /// are one look: an order that was taken back in the same moment was never seen.
    pub(crate) async fn keep(
        self,
        look: impl Fn() + Send,
        tell: impl Fn(PutBack) + Send,
        mut lattice: watch::Receiver<u64>,
        stop: CancellationToken,
    ) {
        let mut changed = self.changed.subscribe();
        loop {
            look();
            let back = std::mem::take(&mut *self.put_back.lock().unwrap_or_else(PoisonError::into_inner));
            back.into_iter().for_each(&tell);
            self.write().await;
            tokio::select! {
                () = stop.cancelled() => return self.write().await,
                news = lattice.changed() => if news.is_err() { return },
                _ = changed.changed() => {}
                () = tokio::time::sleep(WRITE_AGAIN), if self.is_behind() => {}
            }
        }
    }

    /// Returns when the disk has what was noted before, or when it takes too long.
    pub(crate) async fn kept(&self) {
        let (noted, mut kept) = (*self.changed.borrow(), self.kept.subscribe());
        if self.file.is_some()
            && tokio::time::timeout(KEEP_WITHIN, kept.wait_for(|kept| *kept >= noted)).await.is_err()
        {
            warn!("which orders of admins were seen is not on disk yet");
        }
    }

    fn is_behind(&self) -> bool {
        self.file.is_some() && *self.kept.borrow() < *self.changed.borrow()
    }

    /// Writes what is not on disk yet; [`Orders::keep`] alone does.
    async fn write(&self) {
        let Some(file) = self.file.clone().filter(|_| self.is_behind()) else { return };
        let (noted, seen) = (*self.changed.borrow(), self.lock().clone());
        match tokio::task::spawn_blocking(move || file.write(&seen)).await {
            Ok(Ok(())) => {
                self.kept.send_replace(noted);
            }
            Ok(Err(error)) => warn!(%error, "which orders of admins were seen is not on disk"),
            Err(error) => warn!(%error, "which orders of admins were seen is not on disk"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn given(issued_ms: u64, version: u64) -> Given {
        Given { issued_ms, version }
    }

    #[test]
    fn an_order_counts_until_a_later_one_and_never_when_it_is_put_back() {
        let mut seen = Remembered::default();
        assert!(seen.may_count("role.U", given(100, 3)) && seen.note("role.U", given(100, 3)));
        for (order, counts) in [
            // The same fact, looked at again, or as a bucket that was restored has it.
            (given(100, 3), true),
            (given(100, 2), true),
            // Taken away at version 4, and put back.
            (given(100, 5), false),
            // One of before, and one of after.
            (given(99, 5), false),
            (given(101, 5), true),
        ] {
            assert_eq!(seen.may_count("role.U", order), counts, "{order:?}");
        }
        assert!(seen.may_count("role.V", given(1, 9)), "of another key nothing is known");
        assert!(!seen.note("role.U", given(100, 3)) && !seen.note("role.U", given(50, 9)));
    }

    #[test]
    fn what_was_seen_is_known_to_later_lives() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let orders = Orders::open(Some(folder.path())).unwrap();
        orders.note("role.U", given(100, 3));
        runtime.block_on(orders.write());
        let later = Orders::open(Some(folder.path())).unwrap();
        assert!(!later.may_count("role.U", given(100, 4), "N"));
        assert_eq!(later.later_by("role.U", 40), Some(Duration::from_millis(60)));
        assert_eq!((later.later_by("role.U", 100), later.later_by("role.V", 0)), (None, None));
        // A host that keeps nothing begins anew.
        assert!(Orders::open(None).unwrap().may_count("role.U", given(100, 4), "N"));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let mut seen = Remembered::default();
        for number in 0..2 * KEYS_MAX as u64 {
            seen.note(&format!("role.{number}"), given(number, 1));
        }
        assert_eq!(seen.latest.len(), KEYS_MAX);
        assert!(
            seen.may_count("role.0", given(0, 9))
                && !seen.may_count(&format!("role.{}", 2 * KEYS_MAX - 1), given(0, 9))
        );
    }

    proptest! {
        #[test]
        fn whatever_a_bucket_brings_an_order_that_was_followed_by_another_is_over(
            facts in proptest::collection::vec((0_u64..6, 1_u64..9), 1..40),
        ) {
            let (mut seen, mut latest) = (Remembered::default(), 0);
            for (issued, version) in facts {
                let order = given(issued, version);
                if seen.may_count("role.U", order) {
                    prop_assert!(issued >= latest, "{order:?} after {latest}");
                    latest = issued;
                    seen.note("role.U", order);
                }
            }
        }
    }
}
