//! Control requests that were refused because of who sent them: counted, and told at most once a second for each source, so
//! that a flood is an event a second with a count. Pure; the task that tells is `guard`'s.

use std::{collections::BTreeMap, time::Duration};

use lattice_core::UserKey;
use tokio::time::Instant;

/// How often at most one source is told of.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// Sources that are told apart; further ones are one.
const SOURCES_MAX: usize = 64;

/// Who sent what was refused, as far as that is proven.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A key that has a role.
    Key(UserKey),
    /// Keys that have none: anybody can make as many as he likes.
    UnknownKey,
    /// Tokens whose signature does not hold, or was not looked at any more.
    Forged,
    /// Nobody signed.
    Unsigned,
    /// More sources than can be told apart.
    Others,
}

impl Source {
    pub(super) fn name(&self) -> &str {
        match self {
            Source::Key(key) => key.as_str(),
            Source::UnknownKey => "unknown-key",
            Source::Forged => "forged",
            Source::Unsigned => "unsigned",
            Source::Others => "others",
        }
    }
}

/// One refusal, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) code: &'static str,
    pub(super) command: &'static str,
    pub(super) key: Option<UserKey>,
    pub(super) reply_to: Option<String>,
    pub(super) message: String,
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) source: Source,
    pub(super) count: u64,
    pub(super) total: u64,
    pub(super) sample: Sample,
}

/// Counts, and says when to tell.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    total: u64,
    sources: BTreeMap<Source, Flood>,
}

#[derive(Debug)]
struct Flood {
    told: Instant,
    /// Since it was told.
    count: u64,
    first: Option<Sample>,
}

impl Refusals {
    /// How many there were.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Counts one; what is to be told of at once.
    pub(super) fn note(&mut self, source: Source, sample: Sample, now: Instant) -> Option<Told> {
        self.total = self.total.saturating_add(1);
        let source = match self.sources.len() < SOURCES_MAX || self.sources.contains_key(&source) {
            true => source,
            false => Source::Others,
        };
        let total = self.total;
        let Some(flood) = self.sources.get_mut(&source) else {
            self.sources.insert(source.clone(), Flood { told: now, count: 0, first: None });
            return Some(Told { source, count: 1, total, sample });
        };
        flood.count = flood.count.saturating_add(1);
        flood.first.get_or_insert(sample);
        let is_due = now.duration_since(flood.told) >= TOLD_EVERY;
        if is_due { flood.tell(&source, total, now) } else { None }
    }

    /// What was counted and not yet told, where its second is over. Sources that were quiet for so long are forgotten.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Told> {
        let total = self.total;
        let mut told = Vec::new();
        self.sources.retain(|source, flood| {
            if now.duration_since(flood.told) < TOLD_EVERY {
                return true;
            }
            let news = flood.tell(source, total, now);
            let is_quiet = news.is_none();
            told.extend(news);
            !is_quiet
        });
        told
    }
}

impl Flood {
    fn tell(&mut self, source: &Source, total: u64, now: Instant) -> Option<Told> {
        let sample = self.first.take()?;
        let count = std::mem::take(&mut self.count);
        self.told = now;
        Some(Told { source: source.clone(), count, total, sample })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(command: &'static str) -> Sample {
        Sample { code: "signature-required", command, key: None, reply_to: None, message: String::new() }
    }

    #[test]
    fn a_flood_is_told_once_a_second_and_nothing_is_left_out_of_the_count() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        let mut told = Vec::new();
        for ms in 0..3_500_u64 {
            let now = start + Duration::from_millis(ms);
            let command = if ms == 1 { "link.put" } else { "host.stop" };
            told.extend(refusals.note(Source::Unsigned, sample(command), now));
            // The tick that comes when nobody sends any more.
            if ms % 250 == 0 {
                told.extend(refusals.due(now));
            }
        }
        told.extend(refusals.due(start + Duration::from_secs(5)));
        let counts: Vec<u64> = told.iter().map(|told| told.count).collect();
        assert_eq!((counts.len(), counts.iter().sum::<u64>()), (5, 3_500), "{counts:?}");
        assert_eq!((counts[0], told[1].sample.command, told[4].total), (1, "link.put", 3_500));
        // Quiet for a second, it is forgotten, and the next one is told at once.
        assert!(refusals.due(start + Duration::from_secs(7)).is_empty());
        assert!(refusals.sources.is_empty());
        assert!(refusals.note(Source::Unsigned, sample("x"), start + Duration::from_secs(8)).is_some());
    }

    #[test]
    fn sources_are_told_apart_and_bounded() {
        let (mut refusals, now) = (Refusals::default(), Instant::now());
        let key = |number: usize| {
            let letter = |n: usize| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[n % 26]);
            let text: String = std::iter::once('U')
                .chain([letter(number / 26), letter(number)])
                .chain(std::iter::repeat_n('A', 53))
                .collect();
            Source::Key(UserKey::new(text).unwrap())
        };
        let told = (0..300).filter(|number| refusals.note(key(*number), sample("x"), now).is_some()).count();
        assert_eq!((told, refusals.sources.len(), refusals.total()), (SOURCES_MAX + 1, SOURCES_MAX + 1, 300));
        let later = refusals.due(now + Duration::from_secs(2));
        let others: Vec<&Told> = later.iter().filter(|told| told.source == Source::Others).collect();
        assert_eq!((others.len(), others[0].count), (1, 300 - SOURCES_MAX as u64 - 1));
    }
}
