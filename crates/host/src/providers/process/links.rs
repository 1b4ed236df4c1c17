//! Which links a process shall have, in which version, and which it says it has. Pure: what to send follows from both, and whose turn
//! it is.

use std::collections::{BTreeMap, BTreeSet};

use lattice_core::{LinkKey, State};
use lattice_provider_sdk::{
    Turns,
    wire::{LinkAnswer, LinkDefinition},
};

/// Links that a process is told of at once: as many as it takes at once. Of one link it is told in order, one after the other.
const AT_ONCE: usize = 16;
/// Links that it has and should not, of which it is told to forget so many at once, when nothing that it shall have waits. A process
/// may name as many as it likes, and a new lot in each answer: none of that may weigh on its own links or on the host.
const STRAYS_AT_ONCE: usize = 4;
/// Strays that are remembered from one look to the next.
const STRAYS_MAX: usize = 32;

/// A link that the process shall have.
#[derive(Debug, Clone)]
struct Wanted {
    link: LinkDefinition,
    /// What the process said of this version; none until it did.
    said: Option<State>,
}

/// What is to be told to the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// It has not got this version.
    Put(LinkDefinition),
    /// It has a link that it should not.
    Delete(LinkDefinition),
}

/// The links of one provider, over all its processes.
#[derive(Debug)]
pub(super) struct Links {
    /// Counts every change: each version of each link has a number of its own.
    generation: u64,
    wanted: BTreeMap<LinkKey, Wanted>,
    /// What the process that runs now is still to be told.
    turns: Turns<LinkKey, Order>,
    /// What it said at the last look that it has, and should not.
    strays: BTreeSet<LinkKey>,
    /// Those that it is told to forget now.
    forgetting: BTreeSet<LinkKey>,
    /// The process that runs now has named any.
    has_strayed: bool,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            generation: 0,
            wanted: BTreeMap::new(),
            turns: Turns::new(AT_ONCE),
            strays: BTreeSet::new(),
            forgetting: BTreeSet::new(),
            has_strayed: false,
        }
    }
}

impl Links {
    /// From now on the process shall have `link`, and is told in its turn; as it is told.
    pub(super) fn want(&mut self, key: &LinkKey, link: LinkDefinition) -> LinkDefinition {
        self.generation += 1;
        let link = LinkDefinition { generation: self.generation, ..link };
        self.wanted.insert(key.clone(), Wanted { link: link.clone(), said: None });
        self.turns.push_instead(key.clone(), Order::Put(link.clone()));
        link
    }

    /// From now on it shall not have that link, and is told in its turn; as it is told.
    pub(super) fn unwant(&mut self, key: &LinkKey) -> LinkDefinition {
        self.generation += 1;
        self.wanted.remove(key);
        let gone = LinkDefinition::of(key, self.generation);
        self.turns.push_instead(key.clone(), Order::Delete(gone.clone()));
        gone
    }

    /// What is to be told now; it is under way until [`done`](Self::done). None where everything that waits has to wait.
    pub(super) fn next_order(&mut self) -> Option<(LinkKey, Order)> {
        self.turns.begin().or_else(|| self.next_stray())
    }

    /// A link that it should not have, where a place is left for one.
    fn next_stray(&mut self) -> Option<(LinkKey, Order)> {
        if !self.turns.has_place() || self.forgetting.len() >= STRAYS_AT_ONCE {
            return None;
        }
        let key = std::iter::from_fn(|| self.strays.pop_first()).find(|key| !self.turns.has(key))?;
        self.forgetting.insert(key.clone());
        self.turns.push(key.clone(), Order::Delete(LinkDefinition::of(&key, self.generation)));
        self.turns.begin()
    }

    /// The process has answered about that link, or will not.
    pub(super) fn done(&mut self, key: &LinkKey) {
        self.forgetting.remove(key);
        self.turns.done(key);
    }

    /// Takes in what the process says of a link: the state to show, where it speaks of the version that it shall have.
    pub(super) fn heard(&mut self, answer: &LinkAnswer) -> Option<(LinkKey, State)> {
        let key = answer.link.key()?;
        let wanted = self.wanted.get_mut(&key)?;
        let state = answer.link.state.state().filter(|_| answer.generation == wanted.link.generation)?;
        wanted.said = Some(state.clone());
        Some((key, state))
    }

    /// The process has told all its links; `more` if they were not all. Whatever does not fit is told in its turn, unless something
    /// about the same link is on its way: the next look sees what came of that. The first time of each process that it has links which
    /// it should not, and was not told to forget: how many.
    pub(super) fn compare(&mut self, answers: &[LinkAnswer], more: bool) -> Option<usize> {
        let has: BTreeMap<LinkKey, u64> =
            answers.iter().filter_map(|answer| Some((answer.link.key()?, answer.generation))).collect();
        for link in self.lacking(&has, more) {
            if let Ok(key) = link.key()
                && !self.turns.has(&key)
            {
                self.turns.push(key, Order::Put(link));
            }
        }
        let strays = has.into_keys().filter(|key| !self.wanted.contains_key(key));
        let strays: Vec<LinkKey> = strays.filter(|key| !self.turns.has(key)).collect();
        let count = strays.len();
        self.strays = strays.into_iter().take(STRAYS_MAX).collect();
        let is_news = count > 0 && !self.has_strayed;
        self.has_strayed |= is_news;
        is_news.then_some(count)
    }

    /// What it shall have and, going by what it `has`, has not in the version that it shall have.
    fn lacking(&self, has: &BTreeMap<LinkKey, u64>, more: bool) -> Vec<LinkDefinition> {
        let lacks = |(key, wanted): &(&LinkKey, &Wanted)| match has.get(*key) {
            Some(generation) => *generation < wanted.link.generation,
            // Of one that was not told, what it said before counts.
            None => !more || wanted.said.is_none(),
        };
        self.wanted.iter().filter(lacks).map(|(_, wanted)| wanted.link.clone()).collect()
    }

    /// The links for a new process, which has none of them yet, and what was to be told to the one before is no matter.
    pub(super) fn anew(&mut self) -> Vec<LinkDefinition> {
        self.turns.clear();
        self.strays.clear();
        self.forgetting.clear();
        self.has_strayed = false;
        self.wanted.values_mut().for_each(|wanted| wanted.said = None);
        self.wanted.values().map(|wanted| wanted.link.clone()).collect()
    }

    /// Which links it shall have.
    pub(super) fn keys(&self) -> Vec<LinkKey> {
        self.wanted.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use lattice_core::{Contract, LinkName};
    use proptest::prelude::*;

    use super::*;

    fn key(source: &str) -> LinkKey {
        LinkKey {
            source: source.parse().unwrap(),
            target: "kv".parse().unwrap(),
            contract: Contract::keyvalue(),
            name: LinkName::default(),
        }
    }

    impl Links {
        /// What a look leads to, as if nothing were on its way.
        fn orders(&mut self, answers: &[LinkAnswer], more: bool) -> Vec<Order> {
            self.turns.clear();
            self.forgetting.clear();
            self.compare(answers, more);
            let orders = std::iter::from_fn(|| {
                let (key, order) = self.next_order()?;
                self.done(&key);
                Some(order)
            });
            orders.collect()
        }
    }

    #[test]
    fn a_link_is_ready_only_in_the_version_that_it_shall_have() {
        let mut links = Links::default();
        let first = links.want(&key("a"), LinkDefinition::of(&key("a"), 0));
        let second = links.want(&key("a"), LinkDefinition::of(&key("a"), 0));
        let said = |generation| LinkAnswer::new(&key("a"), &State::Ready, generation);
        assert_eq!(links.heard(&said(first.generation)), None, "that was the old version");
        assert_eq!(links.heard(&said(second.generation)), Some((key("a"), State::Ready)));
        assert_eq!(links.orders(&[said(first.generation)], false), [Order::Put(second.clone())]);
        assert_eq!(links.orders(&[said(second.generation)], false), []);
        assert_eq!(links.orders(&[], true), [], "it said so before, and not all were told");
        assert_eq!(links.orders(&[], false), [Order::Put(second)]);
        let gone = links.unwant(&key("a"));
        assert_eq!(links.heard(&said(2)), None);
        assert_eq!(links.orders(&[said(2)], false), [Order::Delete(gone)]);
    }

    fn told(links: &mut Links) -> Vec<(LinkKey, Order)> {
        std::iter::from_fn(|| links.next_order()).collect()
    }

    #[test]
    fn a_link_without_an_answer_holds_up_only_itself_and_its_newest_version_follows() {
        let mut links = Links::default();
        let want = |links: &mut Links, source: &str| {
            links.want(&key(source), LinkDefinition::of(&key(source), 0));
        };
        for number in 0..20 {
            want(&mut links, &format!("a{number}"));
        }
        let under_way = told(&mut links);
        assert_eq!(under_way.len(), AT_ONCE);
        // All but the first are answered.
        for (key, order) in &under_way[1..] {
            let Order::Put(link) = order else { panic!("{order:?}") };
            assert!(links.heard(&LinkAnswer::new(key, &State::Ready, link.generation)).is_some());
            links.done(key);
        }
        let (silent, _) = &under_way[0];
        assert_eq!(told(&mut links).len(), 4);
        want(&mut links, silent.source.as_str());
        let gone = links.unwant(silent);
        links.compare(&[LinkAnswer::new(silent, &State::Ready, 1)], true);
        assert_eq!(told(&mut links), [], "it waits for the answer");
        links.done(silent);
        assert_eq!(told(&mut links), [(silent.clone(), Order::Delete(gone))], "once, and no version between");
        // What a look finds is told once, whatever further looks find meanwhile.
        let stranger = [LinkAnswer::new(&key("z"), &State::Ready, 9)];
        links.compare(&stranger, true);
        links.compare(&stranger, true);
        let orders = told(&mut links);
        assert!(matches!(&orders[..], [(found, Order::Delete(_))] if *found == key("z")), "{orders:?}");
        links.compare(&stranger, true);
        assert_eq!(told(&mut links), []);
        assert_eq!(links.anew().len(), 19);
        links.compare(&stranger, false);
        assert_eq!(
            told(&mut links).len(),
            AT_ONCE,
            "another process is told as if nothing had been on its way"
        );
    }

    #[test]
    fn a_process_that_names_ever_new_links_gains_nothing_by_it() {
        let mut links = Links::default();
        for look in 0..50 {
            let strange = (0..1000).map(|number| key(&format!("s{look}-{number}")));
            let answers: Vec<LinkAnswer> =
                strange.map(|key| LinkAnswer::new(&key, &State::Ready, 1)).collect();
            assert_eq!(links.compare(&answers, true), (look == 0).then_some(1000), "said once");
            let orders = told(&mut links);
            assert_eq!(orders.len(), if look == 0 { STRAYS_AT_ONCE } else { 0 }, "none of them is answered");
            assert!(links.turns.waiting() == 0 && links.strays.len() <= STRAYS_MAX);
        }
        links.want(&key("a"), LinkDefinition::of(&key("a"), 0));
        let orders = told(&mut links);
        assert!(matches!(&orders[..], [(first, Order::Put(_))] if *first == key("a")), "{orders:?}");
    }

    proptest! {
        /// Whatever messages are lost, and whenever the process is a new one: after enough looks it has exactly what it should.
        #[test]
        fn looks_lead_to_what_is_wanted(steps in prop::collection::vec((0_u8..4, "[a-d]", any::<bool>()), 0..60)) {
            let mut links = Links::default();
            let mut process: BTreeMap<LinkKey, u64> = BTreeMap::new();
            let answers = |process: &BTreeMap<LinkKey, u64>| -> Vec<LinkAnswer> {
                process.iter().map(|(key, generation)| LinkAnswer::new(key, &State::Ready, *generation)).collect()
            };
            fn tell(process: &mut BTreeMap<LinkKey, u64>, order: &Order) {
                match order {
                    Order::Put(link) => drop(process.insert(link.key().unwrap(), link.generation)),
                    Order::Delete(link) => drop(process.remove(&link.key().unwrap())),
                }
            }
            for (what, source, arrives) in steps {
                let key = key(&source);
                let order = match what {
                    0 | 1 => Some(Order::Put(links.want(&key, LinkDefinition::of(&key, 0)))),
                    2 => Some(Order::Delete(links.unwant(&key))),
                    _ => {
                        process = links.anew().iter().map(|link| (link.key().unwrap(), link.generation)).collect();
                        None
                    }
                };
                if let Some(order) = order.filter(|_| arrives) {
                    tell(&mut process, &order);
                }
            }
            for order in links.orders(&answers(&process), false) {
                tell(&mut process, &order);
            }
            prop_assert_eq!(links.orders(&answers(&process), false), []);
            let wanted: Vec<LinkKey> = links.keys();
            prop_assert!(process.keys().eq(wanted.iter()));
            for answer in answers(&process) {
                prop_assert!(links.heard(&answer).is_some());
            }
        }
    }
}
