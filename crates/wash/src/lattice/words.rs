//! What commands show that keep the lattice's word on something, and let hosts have a word in it by their flags: `wash trust`,
//! `wash role`.

use lattice_control_interface::HostInventory;
use lattice_core::{HostId, UserKey};
use serde::Serialize;

use super::short_keys;
use crate::output::Reply;

/// What a command did to the lattice's word on `key`.
#[derive(Debug, Serialize)]
pub(crate) struct Changed<K, W> {
    message: String,
    key: K,
    changed: bool,
    /// What the lattice said before; none where it said nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<W>,
    /// What it says now.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<W>,
    /// Further keys on which the word counts no more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lost: Vec<String>,
}

impl<K, W: PartialEq> Changed<K, W> {
    /// Nothing has changed where the two words are the same.
    pub(crate) fn new(message: String, key: K, before: Option<W>, now: Option<W>) -> Self {
        Self { message, key, changed: before != now, before, now, lost: Vec::new() }
    }

    /// With the keys on which the word counted because of this one, and counts no more.
    pub(crate) fn with_lost(self, lost: Vec<String>) -> Self {
        Self { lost, ..self }
    }
}

impl<K: Serialize, W: Serialize> Reply for Changed<K, W> {
    fn text(&self) -> String {
        self.message.clone()
    }
}

/// Who says what a row of a list shows.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub(crate) enum Source {
    /// The lattice, since a command.
    Lattice {
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<UserKey>,
        at: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        through: Option<HostId>,
    },
    /// A flag with which this host was started.
    Flag { host_id: HostId, host: String },
}

impl Source {
    /// A flag of that host.
    pub(crate) fn flag_of(host: &HostInventory) -> Self {
        Self::Flag { host_id: host.host_id.clone(), host: host.friendly_name.clone() }
    }

    /// The cells `from`, `by` and `since`; `nobody` stands for who gave a command without a signature, and the key is cut
    /// where the terminal is narrower than the `needed` columns.
    pub(crate) fn cells(&self, nobody: &str, needed: usize) -> [String; 3] {
        match self {
            Self::Lattice { by, at, .. } => {
                let by = by.as_ref().map_or(nobody.to_owned(), |by| short_keys(by.as_str(), needed));
                ["lattice".to_owned(), by, at.clone()]
            }
            Self::Flag { host, .. } => [format!("flag of {host}"), "-".to_owned(), "-".to_owned()],
        }
    }
}

/// A table for tests of what it says: keys by their letter, and cells one blank apart.
#[cfg(test)]
pub(crate) fn by_letters(text: &str) -> String {
    let keys = ('A'..='Z').fold(text.to_owned(), |text, letter| {
        text.replace(&letter.to_string().repeat(55), &letter.to_string())
    });
    let lines = keys.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_has_not_changed() {
        let changed =
            |before, now| serde_json::to_value(Changed::new("m".to_owned(), "k", before, now)).unwrap();
        assert_eq!(
            changed(Some(1), Some(1)),
            serde_json::json!({ "message": "m", "key": "k", "changed": false, "before": 1, "now": 1 })
        );
        assert_eq!(changed(None, Some(1))["changed"], true);
        let lost = Changed::new("m".to_owned(), "k", Some(1), None).with_lost(vec!["x".to_owned()]);
        assert_eq!(
            serde_json::to_value(lost).unwrap(),
            serde_json::json!({ "message": "m", "key": "k", "changed": true, "before": 1, "lost": ["x"] })
        );
    }

    #[test]
    fn a_source_says_who_and_since_when() {
        let at = "2026-11-21T01:17:37Z".to_owned();
        let lattice = |by| Source::Lattice { by, at: at.clone(), through: None };
        let key = UserKey::new(format!("U{}", "B".repeat(55))).unwrap();
        assert_eq!(lattice(None).cells("unsigned", 0), ["lattice", "unsigned", at.as_str()]);
        assert_eq!(lattice(Some(key.clone())).cells("-", 0), ["lattice", key.as_str(), at.as_str()]);
        let host_id = HostId::new(format!("N{}", "A".repeat(55))).unwrap();
        let flag = Source::Flag { host_id, host: "calm-otter-1".to_owned() };
        assert_eq!(flag.cells("unsigned", 0), ["flag of calm-otter-1", "-", "-"]);
    }
}
