//! Refusals: counted, and told at most once a second for each source, so that a flood is an event a second with a count. Pure but for
//! [`tell`], the task; what a source is, and who tells, is with those who refuse.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often at most one source is told of.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// Sources that are told apart; further ones are one.
const SOURCES_MAX: usize = 64;

/// How often what was counted of a flood is looked at.
const TICK: Duration = Duration::from_millis(250);

/// Whoever counts refusals, and tells of them.
pub(crate) trait Tells: Send + Sync + 'static {
    /// Tells what a flood left untold, as far as it is due.
    fn tell_due(&self, now: Instant);
}

/// Lets somebody tell what a flood left untold, until stopped.
pub(crate) async fn tell(teller: Arc<impl Tells>, stop: CancellationToken) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => teller.tell_due(Instant::now()),
        }
    }
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told<Source, Sample> {
    pub(crate) source: Source,
    /// How many since it was told of last.
    pub(crate) count: u64,
    /// How many of all sources.
    pub(crate) total: u64,
    /// The first of them.
    pub(crate) sample: Sample,
}

/// Counts, and says when to tell.
#[derive(Debug)]
pub(crate) struct Refusals<Source, Sample> {
    total: u64,
    sources: BTreeMap<Source, Flood<Sample>>,
    /// Who stands for all sources beyond those that are told apart.
    others: Source,
}

#[derive(Debug)]
struct Flood<Sample> {
    told: Instant,
    /// Since it was told.
    count: u64,
    first: Option<Sample>,
}

impl<Source: Ord + Clone, Sample> Refusals<Source, Sample> {
    /// None yet.
    pub(crate) fn new(others: Source) -> Self {
        Self { total: 0, sources: BTreeMap::new(), others }
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Counts one; what is to be told of at once.
    pub(crate) fn note(
        &mut self,
        source: Source,
        sample: Sample,
        now: Instant,
    ) -> Option<Told<Source, Sample>> {
        self.note_several(source, 1, sample, now)
    }

    /// Counts several that are alike; what is to be told of at once.
    pub(crate) fn note_several(
        &mut self,
        source: Source,
        count: u64,
        sample: Sample,
        now: Instant,
    ) -> Option<Told<Source, Sample>> {
        self.total = self.total.saturating_add(count);
        let source = match self.sources.len() < SOURCES_MAX || self.sources.contains_key(&source) {
            true => source,
            false => self.others.clone(),
        };
        let total = self.total;
        let Some(flood) = self.sources.get_mut(&source) else {
            self.sources.insert(source.clone(), Flood { told: now, count: 0, first: None });
            return Some(Told { source, count, total, sample });
        };
        flood.count = flood.count.saturating_add(count);
        flood.first.get_or_insert(sample);
        let is_due = now.duration_since(flood.told) >= TOLD_EVERY;
        if is_due { flood.tell(&source, total, now) } else { None }
    }

    /// What was counted and not yet told, where its second is over. Sources that were quiet for so long are forgotten.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Told<Source, Sample>> {
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

impl<Sample> Flood<Sample> {
    fn tell<Source: Clone>(
        &mut self,
        source: &Source,
        total: u64,
        now: Instant,
    ) -> Option<Told<Source, Sample>> {
        let sample = self.first.take()?;
        let count = std::mem::take(&mut self.count);
        self.told = now;
        Some(Told { source: source.clone(), count, total, sample })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_once_a_second_and_nothing_is_left_out_of_the_count() {
        let (mut refusals, start) = (Refusals::new("others"), Instant::now());
        let mut told = Vec::new();
        for ms in 0..3_500_u64 {
            let now = start + Duration::from_millis(ms);
            let command = if ms == 1 { "link.put" } else { "host.stop" };
            told.extend(refusals.note("unsigned", command, now));
            // The tick that comes when nobody sends any more.
            if ms % 250 == 0 {
                told.extend(refusals.due(now));
            }
        }
        told.extend(refusals.due(start + Duration::from_secs(5)));
        let counts: Vec<u64> = told.iter().map(|told| told.count).collect();
        assert_eq!((counts.len(), counts.iter().sum::<u64>()), (5, 3_500), "{counts:?}");
        assert_eq!((counts[0], told[1].sample, told[4].total), (1, "link.put", 3_500));
        // Quiet for a second, it is forgotten, and the next one is told at once.
        assert!(refusals.due(start + Duration::from_secs(7)).is_empty());
        assert!(refusals.sources.is_empty());
        assert!(refusals.note("unsigned", "x", start + Duration::from_secs(8)).is_some());
    }

    #[test]
    fn several_count_as_many_as_they_are() {
        let (mut refusals, now) = (Refusals::new("others"), Instant::now());
        let told = refusals.note_several("mole", 7, "a", now).map(|told| (told.count, told.total));
        assert_eq!((told, refusals.note_several("mole", 5, "b", now)), (Some((7, 7)), None));
        let later = refusals.due(now + Duration::from_secs(1));
        assert_eq!((later[0].count, later[0].total, later[0].sample), (5, 12, "b"));
    }

    #[test]
    fn sources_are_told_apart_and_bounded() {
        let (mut refusals, now) = (Refusals::new(usize::MAX), Instant::now());
        let told = (0..300).filter(|number| refusals.note(*number, "x", now).is_some()).count();
        assert_eq!((told, refusals.sources.len(), refusals.total()), (SOURCES_MAX + 1, SOURCES_MAX + 1, 300));
        let later = refusals.due(now + Duration::from_secs(2));
        let others: Vec<_> = later.iter().filter(|told| told.source == usize::MAX).collect();
        assert_eq!((others.len(), others[0].count), (1, 300 - SOURCES_MAX as u64 - 1));
    }
}
