//! The values: every operation is short and whole, and nothing grows past its limit.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use lattice_contracts::keyvalue::{KeyPage, KeyvalueError, Versioned};

use crate::config::Limits;

/// Keys on one page.
const PAGE_KEYS: usize = 1000;

#[derive(Debug, Clone)]
struct Entry {
    value: Bytes,
    revision: u64,
}

/// All stores, by name.
#[derive(Debug)]
pub(crate) struct Stores {
    limits: Limits,
    by_name: HashMap<String, BTreeMap<String, Entry>>,
    bytes: usize,
    entries: usize,
    /// Counts writes.
    revision: u64,
}

impl Stores {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, by_name: HashMap::new(), bytes: 0, entries: 0, revision: 0 }
    }

    fn entry(&self, store: &str, key: &str) -> Option<&Entry> {
        self.by_name.get(store)?.get(key)
    }

    pub(crate) fn get(&self, store: &str, key: &str) -> Versioned {
        match self.entry(store, key) {
            Some(entry) => Versioned { value: Some(entry.value.clone()), revision: entry.revision },
            None => Versioned { value: None, revision: 0 },
        }
    }

    pub(crate) fn set(&mut self, store: &str, key: &str, value: Bytes) -> Result<(), KeyvalueError> {
        let size = value.len();
        if size > self.limits.value_bytes {
            return Err(KeyvalueError::TooLarge { what: "value", size, max: self.limits.value_bytes });
        }
        let before = self.entry(store, key).map(|entry| entry.value.len());
        // A new key takes room as well.
        let (gone, come) = (before.unwrap_or(0), size + if before.is_none() { key.len() } else { 0 });
        let (bytes, entries) = (self.bytes - gone + come, self.entries + usize::from(before.is_none()));
        if bytes > self.limits.bytes || entries > self.limits.entries {
            let Limits { bytes, entries, .. } = self.limits;
            let why = format!("it is full: it keeps at most {entries} keys and {bytes} bytes");
            return Err(KeyvalueError::Backend { why });
        }
        (self.bytes, self.entries, self.revision) = (bytes, entries, self.revision + 1);
        let entry = Entry { value, revision: self.revision };
        self.by_name.entry(store.to_owned()).or_default().insert(key.to_owned(), entry);
        Ok(())
    }

    pub(crate) fn swap(
        &mut self,
        store: &str,
        key: &str,
        revision: u64,
        value: Bytes,
    ) -> Result<bool, KeyvalueError> {
        if self.get(store, key).revision != revision {
            return Ok(false);
        }
        self.set(store, key, value).map(|()| true)
    }

    pub(crate) fn delete(&mut self, store: &str, key: &str) {
        let Some(values) = self.by_name.get_mut(store) else { return };
        if let Some(entry) = values.remove(key) {
            self.bytes -= entry.value.len() + key.len();
            self.entries -= 1;
        }
        if values.is_empty() {
            self.by_name.remove(store);
        }
    }

    pub(crate) fn list(&self, store: &str, cursor: Option<u64>) -> KeyPage {
        let Some(values) = self.by_name.get(store) else { return KeyPage::default() };
        let from = usize::try_from(cursor.unwrap_or(0)).unwrap_or(usize::MAX);
        let keys: Vec<String> = values.keys().skip(from).take(PAGE_KEYS).cloned().collect();
        let next = from.saturating_add(keys.len());
        let cursor = (next < values.len() && !keys.is_empty()).then_some(next as u64);
        KeyPage { keys, cursor }
    }

    pub(crate) fn increment(&mut self, store: &str, key: &str, delta: i64) -> Result<i64, KeyvalueError> {
        let before = match self.entry(store, key) {
            None => 0,
            Some(entry) => std::str::from_utf8(&entry.value)
                .ok()
                .and_then(|text| text.parse::<i64>().ok())
                .ok_or_else(|| KeyvalueError::NotANumber { key: key.to_owned() })?,
        };
        let sum = before.checked_add(delta).ok_or_else(|| KeyvalueError::Backend {
            why: format!("{before} and {delta} are more than a number of 64 bits holds"),
        })?;
        self.set(store, key, Bytes::from(sum.to_string())).map(|()| sum)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stores(bytes: usize, entries: usize) -> Stores {
        Stores::new(Limits { bytes, entries, value_bytes: 8 })
    }

    #[test]
    fn values_are_kept_apart_and_counted() {
        let mut stores = stores(1000, 10);
        stores.set("a", "k", Bytes::from_static(b"1")).unwrap();
        assert_eq!(stores.get("b", "k"), Versioned { value: None, revision: 0 });
        assert_eq!(stores.increment("a", "k", 41).unwrap(), 42);
        assert_eq!(stores.increment("b", "k", -1).unwrap(), -1);
        assert!(matches!(stores.increment("a", "k", i64::MAX), Err(KeyvalueError::Backend { .. })));
        stores.set("a", "k", Bytes::from_static(b"x")).unwrap();
        assert!(matches!(stores.increment("a", "k", 1), Err(KeyvalueError::NotANumber { .. })));
        let revision = stores.get("a", "k").revision;
        assert!(stores.swap("a", "k", revision, Bytes::from_static(b"y")).unwrap());
        assert!(!stores.swap("a", "k", revision, Bytes::from_static(b"z")).unwrap());
        assert!(stores.swap("a", "new", 0, Bytes::new()).unwrap());
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut stores = stores(10, 2);
        let long = Bytes::from_static(b"123456789");
        assert!(matches!(stores.set("a", "k", long), Err(KeyvalueError::TooLarge { what: "value", .. })));
        stores.set("a", "k", Bytes::from_static(b"12345678")).unwrap();
        assert!(stores.set("a", "l", Bytes::from_static(b"12")).is_err());
        stores.set("a", "l", Bytes::new()).unwrap();
        assert!(stores.set("a", "", Bytes::new()).is_err(), "two keys are enough");
        assert_eq!(stores.get("a", "k").value.as_deref(), Some(&b"12345678"[..]));
        stores.delete("a", "k");
        stores.delete("a", "k");
        stores.set("a", "m", Bytes::from_static(b"12345678")).unwrap();
    }

    #[test]
    fn pages_end() {
        let mut stores = stores(1 << 20, 10_000);
        for number in 0..2_500 {
            stores.set("a", &format!("{number:05}"), Bytes::new()).unwrap();
        }
        let (mut cursor, mut keys) = (None, Vec::new());
        loop {
            let page = stores.list("a", cursor);
            keys.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert!(keys.len() == 2_500 && keys.is_sorted());
        assert_eq!(stores.list("a", Some(u64::MAX)), KeyPage::default());
        assert_eq!(stores.list("none", None), KeyPage::default());
    }

    proptest! {
        /// Whatever is done, what is counted is what is there, and never more than allowed.
        #[test]
        fn the_books_are_right(steps in prop::collection::vec((0_u8..3, "[ab]", "[k-n]{1,2}", 0_usize..10), 0..60)) {
            let mut stores = stores(20, 3);
            for (what, store, key, size) in steps {
                match what {
                    0 => drop(stores.set(&store, &key, Bytes::from(vec![b'1'; size]))),
                    1 => stores.delete(&store, &key),
                    _ => drop(stores.increment(&store, &key, 7)),
                }
                let all = || stores.by_name.values().flatten();
                let bytes: usize = all().map(|(key, entry)| key.len() + entry.value.len()).sum();
                prop_assert_eq!((bytes, all().count()), (stores.bytes, stores.entries));
                prop_assert!(bytes <= 20 && stores.entries <= 3);
            }
        }
    }
}
