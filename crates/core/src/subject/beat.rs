//! Beats: how hosts show each other that they live. Subjects and the 32 bytes.
//!
//! | subject | carries | heard by |
//! | --- | --- | --- |
//! | `wasmbus.beat.{lattice}.{host}` | a beat of that host | the next hosts on the ring |
//! | `wasmbus.beat.{lattice}.{host}.all` | a full beat of that host; with a reply subject, those that hear it answer with their own | every host |
//! | `wasmbus.beat.{lattice}.{host}.ask` | an empty question; answered with a beat | that host |

use std::fmt;

use crate::{HostId, LatticeName};

/// A subject of presence, typed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BeatSubject {
    /// The lattice it belongs to.
    pub lattice: LatticeName,
    /// The host that beats, or that is asked.
    pub host: HostId,
    /// What is said there.
    pub kind: BeatKind,
}

/// What is said on a subject of presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BeatKind {
    /// A beat for the neighbours.
    Neighbours,
    /// A full beat, for everybody.
    All,
    /// A question whether the host lives.
    Ask,
}

/// The subscription by which a host hears everybody's full beats.
#[must_use]
pub fn beat_all_subscription(lattice: &LatticeName) -> String {
    format!("wasmbus.beat.{lattice}.*.all")
}

impl fmt::Display for BeatSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wasmbus.beat.{}.{}", self.lattice, self.host)?;
        match self.kind {
            BeatKind::Neighbours => Ok(()),
            BeatKind::All => f.write_str(".all"),
            BeatKind::Ask => f.write_str(".ask"),
        }
    }
}

impl BeatSubject {
    /// Reads a subject back; `None` for one that is not of presence.
    #[must_use]
    pub fn parse(subject: &str) -> Option<Self> {
        let mut parts = subject.strip_prefix("wasmbus.beat.")?.split('.');
        let lattice = LatticeName::new(parts.next()?).ok()?;
        let host = HostId::new(parts.next()?).ok()?;
        let kind = match (parts.next(), parts.next()) {
            (None, _) => BeatKind::Neighbours,
            (Some("all"), None) => BeatKind::All,
            (Some("ask"), None) => BeatKind::Ask,
            _ => return None,
        };
        Some(Self { lattice, host, kind })
    }
}

/// One beat. On the wire 32 bytes, numbers in network order:
///
/// | bytes | |
/// | --- | --- |
/// | 0 | version, 1 |
/// | 1 | flags: 1 = the host stops and says goodbye |
/// | 2–3 | load in thousandths |
/// | 4–7 | 0, for later |
/// | 8–15 | epoch |
/// | 16–23 | sequence |
/// | 24–31 | 0, for later |
///
/// Later versions only add: a reader takes any version from 1 on and a beat longer than 32 bytes, and ignores flags and
/// bytes that it does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beat {
    /// Which life of the host it is of; later ones are greater.
    pub epoch: u64,
    /// Counts the beats of this life, from 1.
    pub sequence: u64,
    /// How busy the host is, 0 to 1000.
    pub load: u16,
    /// The host stops: this is its last beat.
    pub goodbye: bool,
}

impl Beat {
    /// Length on the wire.
    pub const BYTES: usize = 32;
    const VERSION: u8 = 1;
    const GOODBYE: u8 = 1;
    const LOAD_MAX: u16 = 1000;

    /// The bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = Self::VERSION;
        bytes[1] = if self.goodbye { Self::GOODBYE } else { 0 };
        bytes[2..4].copy_from_slice(&self.load.min(Self::LOAD_MAX).to_be_bytes());
        bytes[8..16].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_be_bytes());
        bytes
    }

    /// Reads a beat; `None` for what is none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.first_chunk()?;
        if bytes[0] < Self::VERSION {
            return None;
        }
        let number = |at: usize| bytes[at..].first_chunk().map(|eight| u64::from_be_bytes(*eight));
        Some(Self {
            epoch: number(8)?,
            sequence: number(16)?,
            load: u16::from_be_bytes([bytes[2], bytes[3]]).min(Self::LOAD_MAX),
            goodbye: bytes[1] & Self::GOODBYE != 0,
        })
    }

    /// True if this beat was sent after the other one, as far as the host's epochs tell.
    #[must_use]
    pub fn is_after(&self, other: &Beat) -> bool {
        (self.epoch, self.sequence) > (other.epoch, other.sequence)
    }
}

/// The answer to a question, or to a full beat that asks for one: a beat, and after its 32 bytes the id of the host, since the
/// subject of an answer does not tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatAnswer {
    /// Who answers.
    pub host: HostId,
    /// Its beat.
    pub beat: Beat,
}

impl BeatAnswer {
    /// The bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.beat.to_bytes().to_vec();
        bytes.extend(self.host.as_str().as_bytes());
        bytes
    }

    /// Reads an answer; `None` for what is none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let host = std::str::from_utf8(bytes.get(Beat::BYTES..)?).ok()?;
        Some(Self { host: HostId::new(host).ok()?, beat: Beat::from_bytes(bytes)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn subjects_as_they_are_written() {
        let host = HostId::new(format!("N{}", "B".repeat(55))).unwrap();
        let of = |kind| BeatSubject { lattice: LatticeName::default(), host: host.clone(), kind };
        for (kind, text) in [
            (BeatKind::Neighbours, format!("wasmbus.beat.default.{host}")),
            (BeatKind::All, format!("wasmbus.beat.default.{host}.all")),
            (BeatKind::Ask, format!("wasmbus.beat.default.{host}.ask")),
        ] {
            assert_eq!(of(kind).to_string(), text);
            assert_eq!(BeatSubject::parse(&text), Some(of(kind)));
        }
        assert_eq!(beat_all_subscription(&LatticeName::default()), "wasmbus.beat.default.*.all");
        for bad in ["wasmbus.beat.default", "wasmbus.beat.default.x", &format!("wasmbus.beat.d.{host}.ask.x")]
        {
            assert_eq!(BeatSubject::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn bytes_as_they_are_written() {
        let beat = Beat { epoch: 0x0102_0304_0506_0708, sequence: 0x1112, load: 999, goodbye: true };
        let hex: String = beat.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "010103e70000000001020304050607080000000000001112".to_owned() + "0000000000000000");
    }

    #[test]
    fn of_another_version() {
        let mut longer = Beat { epoch: 1, sequence: 2, load: 3, goodbye: false }.to_bytes().to_vec();
        longer[0] = 9;
        longer[1] = 0xf0;
        longer.extend([7; 8]);
        assert_eq!(Beat::from_bytes(&longer), Some(Beat { epoch: 1, sequence: 2, load: 3, goodbye: false }));
        longer[0] = 0;
        assert_eq!(Beat::from_bytes(&longer), None);
        assert_eq!(Beat::from_bytes(&[1; 31]), None);
    }

    #[test]
    fn an_answer_tells_who_answers() {
        let host = HostId::new(format!("N{}", "B".repeat(55))).unwrap();
        let answer = BeatAnswer { host, beat: Beat { epoch: 1, sequence: 2, load: 3, goodbye: false } };
        let bytes = answer.to_bytes();
        assert_eq!(bytes.len(), 88);
        assert_eq!(BeatAnswer::from_bytes(&bytes), Some(answer));
        assert_eq!(BeatAnswer::from_bytes(&bytes[..87]), None);
    }

    proptest! {
        #[test]
        fn every_beat_reads_back(epoch: u64, sequence: u64, load in 0_u16..=1000, goodbye: bool) {
            let beat = Beat { epoch, sequence, load, goodbye };
            prop_assert_eq!(Beat::from_bytes(&beat.to_bytes()), Some(beat));
        }

        #[test]
        fn any_bytes_and_subjects_are_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..48),
            text in ".{0,80}",
        ) {
            let _ = Beat::from_bytes(&bytes);
            let _ = BeatAnswer::from_bytes(&bytes);
            let _ = BeatSubject::parse(&format!("wasmbus.beat.{text}"));
        }
    }
}
