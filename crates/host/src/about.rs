//! What a host is known by: id, name, labels, and the notices that every status shows.

use std::sync::{PoisonError, RwLock};

use lattice_core::{HostId, LabelError, Labels, LatticeName};
use tokio::time::Instant;

const FIRST: [&str; 32] = [
    "amber", "autumn", "bold", "brisk", "calm", "cedar", "clear", "cool", "coral", "dawn", "deep", "eager",
    "early", "fair", "fresh", "gentle", "golden", "green", "hidden", "keen", "late", "lively", "misty",
    "noble", "proud", "quiet", "silver", "spring", "still", "swift", "warm", "wild",
];
const SECOND: [&str; 32] = [
    "bay", "beacon", "birch", "bird", "brook", "cliff", "cloud", "cove", "dune", "falcon", "fern", "field",
    "fjord", "forest", "glade", "harbour", "heron", "hill", "island", "lake", "meadow", "moon", "otter",
    "peak", "pine", "reef", "ridge", "river", "shore", "star", "stone", "wave",
];

/// The label by which an operator says which hosts are near each other.
pub(crate) const SITE: &str = "site";

/// Facts about this host that outlive any actor on it.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) id: HostId,
    pub(crate) friendly_name: String,
    pub(crate) lattice: LatticeName,
    pub(crate) js_domain: Option<String>,
    /// The NATS server, as `host:port`.
    pub(crate) server: String,
    /// One line each: what an operator should know at every look.
    pub(crate) notices: Vec<String>,
    started: Instant,
    labels: RwLock<Labels>,
}

impl About {
    pub(crate) fn new(
        id: HostId,
        lattice: LatticeName,
        labels: Labels,
        js_domain: Option<String>,
        server: String,
        notices: Vec<String>,
    ) -> Self {
        let friendly_name = friendly_name(&id);
        let (started, labels) = (Instant::now(), RwLock::new(labels));
        Self { id, friendly_name, lattice, js_domain, server, notices, started, labels }
    }

    pub(crate) fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    pub(crate) fn uptime_seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    pub(crate) fn labels(&self) -> Labels {
        self.labels.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The label `site`: which hosts are near each other.
    pub(crate) fn site(&self) -> Option<String> {
        self.labels.read().unwrap_or_else(PoisonError::into_inner).0.get(SITE).cloned()
    }

    pub(crate) fn set_label(&self, key: &str, value: &str) -> Result<(), LabelError> {
        self.labels.write().unwrap_or_else(PoisonError::into_inner).set(key, value)
    }

    pub(crate) fn remove_label(&self, key: &str) -> Result<bool, LabelError> {
        self.labels.write().unwrap_or_else(PoisonError::into_inner).remove(key)
    }
}

/// A name people can say, made of the id, so that a host keeps it.
fn friendly_name(id: &HostId) -> String {
    // FNV-1a: all that is wanted is that ids spread.
    let hash = id.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let pick =
        |words: &[&'static str; 32], shift: u32| words[usize::try_from((hash >> shift) % 32).unwrap_or(0)];
    format!("{}-{}-{:04}", pick(&FIRST, 8), pick(&SECOND, 24), (hash >> 40) % 10_000)
}

/// Seconds as people say them: `2 days, 3 hours, 4 minutes, 5 seconds`, leaving out leading zeros.
pub(crate) fn human_seconds(seconds: u64) -> String {
    let parts = [
        (seconds / 86_400, "day"),
        (seconds / 3_600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let said: Vec<String> = parts
        .iter()
        .skip_while(|(count, _)| *count == 0)
        .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    if said.is_empty() { "0 seconds".to_owned() } else { said.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_and_differ() {
        let id = |letter: &str| HostId::new(format!("N{}", letter.repeat(55))).unwrap();
        assert_eq!(friendly_name(&id("A")), friendly_name(&id("A")));
        assert_ne!(friendly_name(&id("A")), friendly_name(&id("B")));
    }

    #[test]
    fn seconds_as_people_say_them() {
        assert_eq!(human_seconds(0), "0 seconds");
        assert_eq!(human_seconds(61), "1 minute, 1 second");
        assert_eq!(human_seconds(90_000), "1 day, 1 hour, 0 minutes, 0 seconds");
    }
}
