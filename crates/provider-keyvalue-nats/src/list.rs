//! All keys of a bucket, in the order of their bytes, by pages.

use futures::StreamExt;
use lattice_contracts::keyvalue::{KeyPage, KeyvalueError};
use tokio::time::{Instant, timeout_at};

use crate::{
    bucket::{Bucket, innermost},
    key::read_back,
};

/// Keys of one page.
const PAGE: usize = 1000;
/// Keys of a bucket that can be listed: they are put in order in memory.
const KEYS_MAX: usize = 1_000_000;

/// A page of keys. The cursor counts the keys before the page, so keys that come or go between two pages may be seen
/// twice or not at all.
pub(crate) async fn page(
    bucket: &Bucket,
    cursor: Option<u64>,
    deadline: Instant,
) -> Result<KeyPage, KeyvalueError> {
    let late = |_| bucket.failed("the keys could not be listed within the call's deadline".to_owned());
    let keys = timeout_at(deadline, all(bucket)).await.map_err(late)??;
    Ok(cut(keys, cursor))
}

async fn all(bucket: &Bucket) -> Result<Vec<String>, KeyvalueError> {
    let mut listing = bucket.store().await?.keys().await.map_err(|error| bucket.failed(innermost(&error)))?;
    let mut keys = Vec::new();
    while let Some(key) = listing.next().await {
        keys.push(read_back(&key.map_err(|error| bucket.failed(innermost(&error)))?));
        if keys.len() > KEYS_MAX {
            return Err(bucket.failed(format!("more than {KEYS_MAX} keys cannot be listed")));
        }
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

fn cut(mut keys: Vec<String>, cursor: Option<u64>) -> KeyPage {
    let start = usize::try_from(cursor.unwrap_or(0)).unwrap_or(usize::MAX).min(keys.len());
    let end = start.saturating_add(PAGE).min(keys.len());
    let more = (end < keys.len()).then(|| u64::try_from(end).ok()).flatten();
    keys.truncate(end);
    keys.drain(..start);
    KeyPage { keys, cursor: more }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap() {
        let keys: Vec<String> = (0..2500).map(|i| format!("{i:05}")).collect();
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = cut(keys.clone(), cursor);
            assert!(page.keys.len() <= PAGE);
            seen.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, keys);
        assert_eq!(cut(keys, Some(u64::MAX)), KeyPage::default());
        assert_eq!(cut(vec!["a".into(); PAGE], None).cursor, None);
    }
}
