//! What a host remembers of the lattice on its own disk: all facts, tombstones too, and how far it had read.

use std::{collections::BTreeMap, path::Path};

use lattice_core::{FactKey, LatticeName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Fact, Facts,
    fact::TOMBSTONE_KEPT,
    landmark::Landmarks,
    snapshot::{SnapshotKind, UnreadableSnapshot},
    snapshot_file::{Loaded, SnapshotError, SnapshotFile},
};
use crate::WallClock;

pub(super) const KIND: SnapshotKind = SnapshotKind { name: "facts", version: 1 };

/// A place in a stream: everything up to `revision` is known. Unknown fields are ignored; `created` and `revision` are
/// required.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StreamMark {
    /// When the stream was made, in JetStream's own words: another time is another stream.
    pub(super) created: String,
    /// The last revision that was read.
    pub(super) revision: u64,
    /// The highest revision of a change that this host made itself: the watch may not have brought it back yet. Missing,
    /// it is 0.
    #[serde(default)]
    pub(super) written: u64,
    /// The newest messages up to `revision`. Missing, none are known, and by none the stream is known again.
    #[serde(default)]
    pub(super) landmarks: Landmarks,
}

impl StreamMark {
    /// What a stream has to have got to if it is to have all that is known here.
    pub(super) fn reach(&self) -> u64 {
        self.revision.max(self.written)
    }
}

/// The content of the file. Unknown fields are ignored. A missing lattice is any, a missing stream is none, missing facts are
/// none.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Stored {
    #[serde(default)]
    lattice: Option<LatticeName>,
    #[serde(default)]
    pub(super) stream: Option<StreamMark>,
    /// By key; values as in the bucket, so that what later versions put there is kept.
    #[serde(default)]
    pub(super) facts: BTreeMap<String, Value>,
}

/// What was remembered.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) facts: Facts,
    pub(super) stream: Option<StreamMark>,
}

/// The file of one lattice's facts.
#[derive(Debug, Clone)]
pub(super) struct MemoryFile {
    file: SnapshotFile,
    lattice: LatticeName,
}

impl MemoryFile {
    /// The file in `folder`.
    pub(super) fn new(folder: &Path, lattice: &LatticeName) -> Self {
        Self { file: SnapshotFile::new(folder.join("facts.snapshot"), KIND), lattice: lattice.clone() }
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Reads it; none if there is nothing that reads. `clock` tells which tombstones have expired. Blocks.
    pub(super) fn read(&self, clock: WallClock) -> Result<Option<Memory>, SnapshotError> {
        let stored: Stored = match self.file.read()? {
            Loaded::Absent => return Ok(None),
            Loaded::Whole(stored) => stored,
            Loaded::Aside(aside) => {
                tracing::warn!("{aside}; what the lattice's bucket has is read instead");
                return Ok(None);
            }
        };
        if let Some(other) = stored.lattice.as_ref().filter(|other| **other != self.lattice) {
            let why = format!("it is of lattice {other}, not of {}", self.lattice);
            let aside = self.file.set_aside(UnreadableSnapshot::Corrupt { why })?;
            tracing::warn!("{aside}");
            return Ok(None);
        }
        Ok(Some(Memory { stream: stored.stream, facts: read_facts(stored.facts, clock) }))
    }

    /// Writes it. Blocks.
    pub(super) fn write(&self, facts: &Facts, stream: Option<StreamMark>) -> Result<(), SnapshotError> {
        let value = |fact: &Fact| {
            serde_json::to_value(fact)
                .map_err(|source| SnapshotError::Unwritable { path: self.path().to_owned(), source })
        };
        let facts: Result<BTreeMap<String, Value>, SnapshotError> =
            facts.all().map(|(key, fact)| Ok((key.to_string(), value(fact)?))).collect();
        self.file.write(&Stored { lattice: Some(self.lattice.clone()), stream, facts: facts? })
    }
}

/// Facts that do not read as such are left out: the checksum was right, so an older version of this program took them for
/// good. Tombstones that have expired in the bucket are forgotten here too.
pub(super) fn read_facts(stored: BTreeMap<String, Value>, clock: WallClock) -> Facts {
    let mut facts = Facts::default();
    let expired = clock.rfc3339_before(TOMBSTONE_KEPT);
    for (key, value) in stored {
        let read = FactKey::parse(&key)
            .map_err(|error| error.to_string())
            .and_then(|parsed| Ok((Fact::of_value(&parsed, value)?, parsed)));
        match read {
            Ok((fact, _)) if fact.deleted && !fact.at.is_empty() && fact.at < expired => {}
            Ok((fact, parsed)) => {
                facts.join(parsed, fact);
            }
            Err(why) => tracing::warn!(key, why, "a remembered fact was passed over"),
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::landmark::Landmark, *};

    fn put(facts: &mut Facts, key: &str, value: Value) {
        let key = FactKey::parse(key).unwrap();
        let fact = Fact::of_value(&key, value).unwrap();
        facts.join(key, fact);
    }

    #[test]
    fn facts_come_back_with_what_later_versions_put_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = MemoryFile::new(folder.path(), &LatticeName::default());
        assert!(file.read(WallClock::default()).unwrap().is_none());
        let mut facts = Facts::default();
        put(
            &mut facts,
            "config.a",
            json!({"version": 3, "writer": "w", "at": "x", "data": {"v": "1"}, "mood": "good"}),
        );
        put(&mut facts, "rumour.a.b", json!({"version": 1, "writer": "w", "data": [1, 2]}));
        put(&mut facts, "config.gone", json!({"version": 2, "writer": "w", "deleted": true}));
        let mut landmarks = Landmarks::default();
        landmarks.pass(Landmark { key: "config.a".into(), revision: 7, stored_ns: 1 });
        let stream = Some(StreamMark { created: "then".into(), revision: 7, written: 9, landmarks });
        file.write(&facts, stream.clone()).unwrap();
        let memory = file.read(WallClock::default()).unwrap().unwrap();
        assert_eq!((memory.facts, memory.stream), (facts, stream));
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.contains(r#""mood":"good""#), "{text}");
    }

    #[test]
    fn unknown_and_missing_fields_and_old_tombstones() {
        let folder = tempfile::tempdir().unwrap();
        let file = MemoryFile::new(folder.path(), &LatticeName::default());
        file.file.write(&json!({"later": 1})).unwrap();
        assert!(file.read(WallClock::default()).unwrap().unwrap().facts.is_empty());
        let facts = json!({
            "config.a": {"version": 1, "writer": "w", "data": {}},
            "config.b": {"version": 2, "writer": "w", "at": "2020-01-01T00:00:00Z", "deleted": true},
            "config.c": {"version": 2, "writer": "w", "at": WallClock::default().now_rfc3339(), "deleted": true},
            "config.d": {"version": 1, "writer": "w", "data": 7},
            "nonsense": {},
        });
        file.file
            .write(&json!({"stream": {"created": "x", "revision": 1, "more": 2}, "facts": facts}))
            .unwrap();
        let memory = file.read(WallClock::default()).unwrap().unwrap();
        assert_eq!(memory.stream.as_ref().unwrap().landmarks, Landmarks::default());
        let keys: Vec<String> = memory.facts.all().map(|(key, _)| key.to_string()).collect();
        assert_eq!(keys, ["config.a", "config.c"]);
        assert_eq!(memory.stream.unwrap().revision, 1);
    }

    #[test]
    fn another_lattice_s_facts_are_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        MemoryFile::new(folder.path(), &"other".parse().unwrap()).write(&Facts::default(), None).unwrap();
        assert!(
            MemoryFile::new(folder.path(), &LatticeName::default())
                .read(WallClock::default())
                .unwrap()
                .is_none()
        );
        assert!(folder.path().join("facts.snapshot.corrupt").is_file());
    }
}
