//! What of the refusals that a process tells is new. Pure.

use std::collections::BTreeMap;

use lattice_contracts::Refused;
use lattice_provider_sdk::wire::RefusalAnswer;

/// How much of each asker was heard of already, from one process.
#[derive(Debug, Default)]
pub(super) struct Heard(BTreeMap<String, u64>);

impl Heard {
    /// Takes in what the process tells, which counts from its start; what was not heard before.
    pub(super) fn news(&mut self, answers: &[RefusalAnswer]) -> Vec<Refused> {
        let before = std::mem::take(&mut self.0);
        let new = |answer: &RefusalAnswer| {
            let count = answer.count.saturating_sub(before.get(&answer.source).copied().unwrap_or(0));
            (count > 0).then(|| answer.refused(count))
        };
        let news = answers.iter().filter_map(new).collect();
        self.0 = answers.iter().map(|answer| (answer.source.clone(), answer.count)).collect();
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_told_on() {
        let told = |counts: &[(&str, u64)]| -> Vec<RefusalAnswer> {
            let answer = |(source, count): &(&str, u64)| RefusalAnswer {
                source: (*source).to_owned(),
                count: *count,
                ..RefusalAnswer::default()
            };
            counts.iter().map(answer).collect()
        };
        let mut heard = Heard::default();
        let mut news = |counts: &[(&str, u64)]| -> Vec<(String, u64)> {
            let news = heard.news(&told(counts));
            news.into_iter().map(|refused| (refused.asker.to_string(), refused.count)).collect()
        };
        assert_eq!(news(&[]), []);
        assert_eq!(news(&[("a", 2)]), [("a".to_owned(), 2)]);
        // An answer was lost in between, and one came twice.
        assert_eq!(news(&[("a", 7), ("b", 1)]), [("a".to_owned(), 5), ("b".to_owned(), 1)]);
        assert_eq!(news(&[("a", 7), ("b", 1)]), []);
        // A process that counts down says nothing new.
        assert_eq!(news(&[("a", 3), ("b", 1)]), []);
    }
}
