//! All keys of a bucket, in the order of their bytes, by pages.
//!
//! The server tells keys in no order, so a page is found by reading all of them and keeping the smallest. What is kept
//! is bounded in bytes, and few listings run at once: an actor that lists for ever costs the host a known amount.

use std::collections::BTreeSet;

use futures::StreamExt;
use lattice_contracts::keyvalue::{KeyPage, KeyvalueError};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use crate::{
    bucket::{Bucket, innermost},
    key::read_back,
};

/// Keys of one page.
const PAGE: usize = 1000;
/// What one listing may keep in memory, in bytes.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a kept key costs besides its text, in bytes.
const KEY_EXTRA_BYTES: usize = 64;
/// Listings that run at once; further ones wait.
const LISTINGS_MAX: usize = 4;

/// The right to list, for a few at once.
pub(crate) struct Listings(Semaphore);

impl Default for Listings {
    fn default() -> Self {
        Self(Semaphore::new(LISTINGS_MAX))
    }
}

impl Listings {
    /// A page of keys. The cursor counts the keys before the page, so keys that come or go between two pages may be
    /// seen twice or not at all.
    pub(crate) async fn page(
        &self,
        bucket: &Bucket,
        cursor: Option<u64>,
        deadline: Instant,
    ) -> Result<KeyPage, KeyvalueError> {
        let late = |_| bucket.failed("the keys could not be listed within the call's deadline".to_owned());
        let listing = async {
            let _turn = self.0.acquire().await.map_err(|closed| bucket.failed(closed.to_string()))?;
            read(bucket, cursor).await
        };
        timeout_at(deadline, listing).await.map_err(late)?
    }
}

async fn read(bucket: &Bucket, cursor: Option<u64>) -> Result<KeyPage, KeyvalueError> {
    let mut listing = bucket.store().await?.keys().await.map_err(|error| bucket.failed(innermost(&error)))?;
    let mut smallest = Smallest::new(cursor, KEPT_BYTES_MAX);
    while let Some(key) = listing.next().await {
        let key = read_back(&key.map_err(|error| bucket.failed(innermost(&error)))?);
        smallest.take(key).map_err(|TooMany| {
            bucket.failed(format!(
                "its keys up to this page take more than {KEPT_BYTES_MAX} bytes, too many to be put in order; use \
                 several buckets, or keep an index under a key of its own"
            ))
        })?;
    }
    Ok(smallest.page())
}

/// The keys before a page's end would take more memory than a listing may.
#[derive(Debug, PartialEq, Eq)]
struct TooMany;

/// The smallest of the keys seen so far: those before the page, and the page.
struct Smallest {
    keys: BTreeSet<String>,
    /// Keys before the page.
    start: usize,
    bytes: usize,
    bytes_max: usize,
    /// Whether there are keys after the page.
    more: bool,
}

impl Smallest {
    fn new(cursor: Option<u64>, bytes_max: usize) -> Self {
        let start = usize::try_from(cursor.unwrap_or(0)).unwrap_or(usize::MAX);
        Self { keys: BTreeSet::new(), start, bytes: 0, bytes_max, more: false }
    }

    fn take(&mut self, key: String) -> Result<(), TooMany> {
        let size = cost(&key);
        // A key may be told twice, when it is written meanwhile.
        if self.keys.insert(key) {
            self.bytes += size;
        }
        if self.keys.len() > self.start.saturating_add(PAGE)
            && let Some(last) = self.keys.pop_last()
        {
            self.bytes -= cost(&last);
            self.more = true;
        }
        if self.bytes > self.bytes_max { Err(TooMany) } else { Ok(()) }
    }

    fn page(self) -> KeyPage {
        let end = self.start.saturating_add(PAGE);
        let cursor = self.more.then(|| u64::try_from(end).ok()).flatten();
        KeyPage { keys: self.keys.into_iter().skip(self.start).collect(), cursor }
    }
}

fn cost(key: &str) -> usize {
    key.len() + KEY_EXTRA_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(keys: impl IntoIterator<Item = String>, cursor: Option<u64>) -> KeyPage {
        let mut smallest = Smallest::new(cursor, KEPT_BYTES_MAX);
        for key in keys {
            smallest.take(key).unwrap();
        }
        smallest.page()
    }

    #[test]
    fn pages_follow_each_other_without_gap() {
        let keys: Vec<String> = (0..2500).map(|i| format!("{i:05}")).collect();
        // Told in another order, and some of them twice.
        let told: Vec<String> = (0..3000).map(|i| keys[i * 1999 % 2500].clone()).collect();
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = page(told.clone(), cursor);
            assert!(page.keys.len() <= PAGE);
            seen.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, keys);
        assert_eq!(page(keys.clone(), Some(u64::MAX)), KeyPage::default());
        assert_eq!(page(keys.iter().take(PAGE).cloned(), None).cursor, None);
        assert_eq!(page(keys.into_iter().take(PAGE + 1), None).cursor, Some(PAGE as u64));
    }

    #[test]
    fn what_a_listing_keeps_is_bounded() {
        let mut first = Smallest::new(None, KEPT_BYTES_MAX);
        for i in 0..100_000 {
            first.take(format!("{i:0500}")).unwrap();
        }
        assert_eq!((first.keys.len(), first.bytes), (PAGE, PAGE * (500 + KEY_EXTRA_BYTES)));
        let mut far = Smallest::new(Some(u64::MAX), 1_000);
        let kept = (0..100).take_while(|i| far.take(format!("{i:036}")).is_ok()).count();
        assert_eq!(kept, 10);
    }
}
