//! Messages by which a stream is known again: decisions alone, no I/O, no clock.
//!
//! A stream that was set back (its server restored from an older copy) and written past what is known of it looks as if
//! nothing had happened: it was made at the same time, and its last revision is as high as it should be. But where the
//! newest messages stood that are known, others stand now, or none do, and their keys have fallen back.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// How many are remembered: the newest of as many keys. One is enough, unless its key was written again since.
const LANDMARKS_MAX: usize = 4;

/// A message that was seen. Every field is required: what lacks one is no landmark, and unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Landmark {
    /// The key it stands under.
    pub(super) key: String,
    /// Its place in the stream.
    pub(super) revision: u64,
    /// When the server stored it, in nanoseconds since 1970: what is at the same place later is another message.
    pub(super) stored_ns: i64,
}

/// The newest messages of a stream, newest first, at most one of each key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Landmarks(VecDeque<Landmark>);

/// What a stream has where a landmark was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// That message.
    TheSame,
    /// Another one.
    Another,
    /// None: its key was written again, as the stream keeps one value of each, or it was lost.
    Empty {
        /// The last revision of the landmark's key; none if the stream has none of it.
        last_of_key: Option<u64>,
    },
}

/// What a landmark says of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// It has all up to there.
    Whole,
    /// It was set back.
    SetBack,
    /// Nothing: an older one may know more.
    Nothing,
}

impl Landmarks {
    /// A message came; they come in the order of their revisions.
    pub(super) fn pass(&mut self, landmark: Landmark) {
        self.0.retain(|one| one.key != landmark.key);
        self.0.push_front(landmark);
        self.0.truncate(LANDMARKS_MAX);
    }

    /// A message came under this key by which nothing shall be known again: it passes by itself.
    pub(super) fn forget(&mut self, key: &str) {
        self.0.retain(|one| one.key != key);
    }

    /// Newest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Landmark> {
        self.0.iter()
    }
}

impl Landmark {
    /// Compares it with what stands there now.
    pub(super) fn says(&self, place: &Place) -> Says {
        match place {
            Place::TheSame => Says::Whole,
            Place::Another => Says::SetBack,
            Place::Empty { last_of_key: Some(last) } if *last > self.revision => Says::Nothing,
            Place::Empty { .. } => Says::SetBack,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A stream that keeps the last message of each key.
    #[derive(Debug, Clone, Default)]
    struct Stream {
        last: u64,
        messages: BTreeMap<u64, Landmark>,
    }

    impl Stream {
        fn write(&mut self, key: u8, at: i64) -> Landmark {
            self.last += 1;
            let landmark = Landmark { key: key.to_string(), revision: self.last, stored_ns: at };
            self.messages.retain(|_, one| one.key != landmark.key);
            self.messages.insert(self.last, landmark.clone());
            landmark
        }

        fn place(&self, landmark: &Landmark) -> Place {
            let last_of_key = self.messages.values().find(|one| one.key == landmark.key);
            match self.messages.get(&landmark.revision) {
                Some(one) if one == landmark => Place::TheSame,
                Some(_) => Place::Another,
                None => Place::Empty { last_of_key: last_of_key.map(|one| one.revision) },
            }
        }

        fn is_set_back(&self, landmarks: &Landmarks) -> bool {
            let said =
                landmarks.iter().map(|one| one.says(&self.place(one))).find(|said| *said != Says::Nothing);
            said == Some(Says::SetBack)
        }
    }

    /// Writes all of `keys` from the time `from` on.
    fn write_all(stream: &mut Stream, keys: &[u8], from: i64, landmarks: &mut Landmarks) {
        for (key, at) in keys.iter().zip(from..) {
            landmarks.pass(stream.write(*key, at));
        }
    }

    #[test]
    fn a_stream_that_was_set_back_and_written_past_is_known_by_what_stands_where() {
        let (mut stream, mut landmarks) = (Stream::default(), Landmarks::default());
        write_all(&mut stream, &[1, 2], 0, &mut landmarks);
        let backup = stream.clone();
        write_all(&mut stream, &[3, 4, 1], 10, &mut landmarks);
        assert!(!stream.is_set_back(&landmarks));
        // Another message at the place; none at the place, and the key fell back; the key is gone.
        for keys in [&[5, 6, 7, 8][..], &[5, 6, 7, 7], &[2, 2, 2, 2]] {
            let mut past = backup.clone();
            write_all(&mut past, keys, 100, &mut Landmarks::default());
            assert!(past.is_set_back(&landmarks), "{keys:?}");
        }
        // The newest key was written again: the one before knows.
        let mut past = backup.clone();
        write_all(&mut past, &[5, 6, 7, 7, 1], 100, &mut Landmarks::default());
        assert!(past.is_set_back(&landmarks));
    }

    #[test]
    fn one_of_each_key_and_few_of_them() {
        let mut landmarks = Landmarks::default();
        write_all(&mut Stream::default(), &[1, 2, 3, 4, 5, 6, 5], 0, &mut landmarks);
        landmarks.forget("6");
        let keys: Vec<&str> = landmarks.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, ["5", "4", "3"]);
        let text = serde_json::to_string(&landmarks).unwrap();
        assert_eq!(serde_json::from_str::<Landmarks>(&text).unwrap(), landmarks);
        let later = r#"[{"key":"a","revision":7,"stored_ns":1,"mood":"good"}]"#;
        assert_eq!(serde_json::from_str::<Landmarks>(later).unwrap().iter().count(), 1);
    }

    proptest! {
        /// A stream that only grows is never taken for one that was set back, wherever the look comes.
        #[test]
        fn what_only_grows_is_whole(
            before in proptest::collection::vec(0_u8..6, 0..40), after in proptest::collection::vec(0_u8..6, 0..40)
        ) {
            let (mut stream, mut landmarks) = (Stream::default(), Landmarks::default());
            write_all(&mut stream, &before, 0, &mut landmarks);
            write_all(&mut stream, &after, 100, &mut Landmarks::default());
            prop_assert!(!stream.is_set_back(&landmarks));
        }

        /// One that was set back is, whatever was written since, unless it wrote all the keys again that are remembered.
        #[test]
        fn what_was_set_back_is_found_out(
            kept in proptest::collection::vec(0_u8..10, 0..20), lost in proptest::collection::vec(0_u8..10, 1..20),
            past in proptest::collection::vec(0_u8..20, 0..60)
        ) {
            let (mut stream, mut landmarks) = (Stream::default(), Landmarks::default());
            write_all(&mut stream, &kept, 0, &mut landmarks);
            let mut back = stream.clone();
            write_all(&mut stream, &lost, 100, &mut landmarks);
            write_all(&mut back, &past, 1000, &mut Landmarks::default());
            let first_lost = kept.len() as u64;
            let known_lost: Vec<String> =
                landmarks.iter().filter(|one| one.revision > first_lost).map(|one| one.key.clone()).collect();
            let again = known_lost.iter().all(|key| past.iter().any(|written| written.to_string() == *key));
            prop_assert!(back.is_set_back(&landmarks) || again);
        }
    }
}
