//! Which links a process shall have, in which version, and which it says it has. Pure: what to send follows from both.

use std::collections::BTreeMap;

use lattice_core::{LinkKey, State};
use lattice_provider_sdk::wire::{LinkAnswer, LinkDefinition};

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
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Counts every change: each version of each link has a number of its own.
    generation: u64,
    wanted: BTreeMap<LinkKey, Wanted>,
}

impl Links {
    /// From now on the process shall have `link`; as it is to be told.
    pub(super) fn want(&mut self, key: &LinkKey, link: LinkDefinition) -> LinkDefinition {
        self.generation += 1;
        let link = LinkDefinition { generation: self.generation, ..link };
        self.wanted.insert(key.clone(), Wanted { link: link.clone(), said: None });
        link
    }

    /// From now on it shall not have that link; as it is to be told.
    pub(super) fn unwant(&mut self, key: &LinkKey) -> LinkDefinition {
        self.generation += 1;
        self.wanted.remove(key);
        LinkDefinition::of(key, self.generation)
    }

    /// Takes in what the process says of a link: the state to show, where it speaks of the version that it shall have.
    pub(super) fn heard(&mut self, answer: &LinkAnswer) -> Option<(LinkKey, State)> {
        let key = answer.link.key()?;
        let wanted = self.wanted.get_mut(&key)?;
        let state = answer.link.state.state().filter(|_| answer.generation == wanted.link.generation)?;
        wanted.said = Some(state.clone());
        Some((key, state))
    }

    /// What is to be told, after the process has told all its links; `more` if they were not all.
    pub(super) fn orders(&self, answers: &[LinkAnswer], more: bool) -> Vec<Order> {
        let has: BTreeMap<LinkKey, u64> =
            answers.iter().filter_map(|answer| Some((answer.link.key()?, answer.generation))).collect();
        let lacks = |(key, wanted): &(&LinkKey, &Wanted)| match has.get(*key) {
            Some(generation) => *generation < wanted.link.generation,
            // Of one that was not told, what it said before counts.
            None => !more || wanted.said.is_none(),
        };
        let put = self.wanted.iter().filter(lacks).map(|(_, wanted)| Order::Put(wanted.link.clone()));
        let over = has.keys().filter(|key| !self.wanted.contains_key(*key));
        let delete = over.map(|key| Order::Delete(LinkDefinition::of(key, self.generation)));
        delete.chain(put).collect()
    }

    /// The links for a new process, which has none of them yet.
    pub(super) fn anew(&mut self) -> Vec<LinkDefinition> {
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
