//! From the links that a provider has to those that it should have: a pure machine, without clock or I/O.
//!
//! It is given what should be, as often as anybody likes, and answers with the steps to get there; each step that was
//! taken is told to it. So a look that is lost or made twice, and a step that is broken off, are caught by the next look.

use std::collections::BTreeMap;

use lattice_core::{LinkKey, State};

use super::plan::{Verdict, Wanted};

/// Links by key, with their verdicts.
pub(crate) type Judged = BTreeMap<LinkKey, Verdict>;

/// One step towards what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Give the provider this link, new or changed.
    Put(LinkKey, Wanted),
    /// Take the link away.
    Delete(LinkKey),
    /// Show the link in this state, which the provider itself cannot tell; none shows it no longer.
    Show(LinkKey, Option<State>),
}

/// What one provider has been given.
#[derive(Debug, Default)]
pub(crate) struct Reconciler {
    applied: BTreeMap<LinkKey, Wanted>,
}

impl Reconciler {
    /// The steps to what should be; `shown` are the states of its links as everybody sees them now.
    ///
    /// Links taken away come first, so that what they held (a port, a route) is free for those that come. A link of which
    /// too little is known stays as it is.
    pub(crate) fn steps(&self, judged: &Judged, shown: &BTreeMap<LinkKey, State>) -> Vec<Effect> {
        let stays =
            |key: &&LinkKey| matches!(judged.get(*key), Some(Verdict::Wanted(_) | Verdict::Unsure(_)));
        let gone = self.applied.keys().filter(|key| !stays(key)).cloned().map(Effect::Delete);
        let come = judged.iter().filter_map(|(key, verdict)| match verdict {
            Verdict::Wanted(wanted) if self.applied.get(key) != Some(wanted) => {
                Some(Effect::Put(key.clone(), wanted.clone()))
            }
            _ => None,
        });
        let untold = shown.keys().filter(|key| !judged.contains_key(*key));
        let untold = untold.map(|key| Effect::Show(key.clone(), None));
        // Links the provider was not given have a state all the same.
        let told = judged.iter().filter_map(|(key, verdict)| match verdict {
            Verdict::Blocked(state) => Some((key, state)),
            Verdict::Unsure(state) if !self.applied.contains_key(key) => Some((key, state)),
            _ => None,
        });
        let told = told.filter(|(key, state)| shown.get(*key) != Some(*state));
        let told = told.map(|(key, state)| Effect::Show(key.clone(), Some(state.clone())));
        gone.chain(come).chain(untold).chain(told).collect()
    }

    /// A step has been taken.
    pub(crate) fn done(&mut self, step: Effect) {
        match step {
            Effect::Put(key, wanted) => drop(self.applied.insert(key, wanted)),
            Effect::Delete(key) => drop(self.applied.remove(&key)),
            Effect::Show(..) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lattice_core::{Contract, Distance};
    use proptest::prelude::*;

    use super::*;

    fn key(actor: &str, name: &str) -> LinkKey {
        LinkKey {
            source: "http".parse().unwrap(),
            target: actor.parse().unwrap(),
            contract: Contract::http(),
            name: name.parse().unwrap(),
        }
    }

    fn wanted(actor: &str, value: &str) -> Wanted {
        Wanted {
            actor: actor.parse().unwrap(),
            interfaces: Vec::new(),
            config: BTreeMap::from([("v".to_owned(), value.to_owned())]),
            secrets: BTreeMap::new(),
            provider_calls: true,
            distance: Distance::default(),
        }
    }

    fn pending() -> State {
        State::Pending("config".into())
    }

    fn judged() -> impl Strategy<Value = Judged> {
        let one = ("[a-e]", "[x-z]", 0_u8..6);
        let verdict = |(actor, name, kind): (String, String, u8)| {
            let verdict = match kind {
                0 => Verdict::Blocked(pending()),
                1 => Verdict::Unsure(pending()),
                value => Verdict::Wanted(wanted(&actor, &value.to_string())),
            };
            (key(&actor, &name), verdict)
        };
        proptest::collection::vec(one, 0..8).prop_map(move |rows| rows.into_iter().map(verdict).collect())
    }

    /// Takes each step that `cut` does not break off, as a provider that is always well.
    fn take(
        links: &mut Reconciler,
        judged: &Judged,
        shown: &mut BTreeMap<LinkKey, State>,
        cut: usize,
    ) -> usize {
        let steps = links.steps(judged, shown);
        let count = steps.len();
        for step in steps.into_iter().take(cut) {
            match &step {
                Effect::Put(key, _) => drop(shown.insert(key.clone(), State::Ready)),
                Effect::Show(key, Some(state)) => drop(shown.insert(key.clone(), state.clone())),
                Effect::Show(key, None) => assert!(shown.remove(key).is_some(), "it was not shown"),
                Effect::Delete(_) => {}
            }
            links.done(step);
        }
        count
    }

    proptest! {
        /// Whatever a provider has, and wherever the steps are broken off, in the end it has exactly what is wanted, all
        /// links have a state, and a further look finds nothing to do.
        #[test]
        fn steps_lead_to_what_is_wanted(looks in proptest::collection::vec((judged(), 0_usize..12), 1..6)) {
            let (mut links, mut shown) = (Reconciler::default(), BTreeMap::new());
            for (judged, cut) in &looks {
                take(&mut links, judged, &mut shown, *cut);
            }
            let (judged, _) = looks.last().unwrap();
            let before = links.applied.clone();
            take(&mut links, judged, &mut shown, usize::MAX);
            prop_assert_eq!(take(&mut links, judged, &mut shown, usize::MAX), 0);
            prop_assert!(shown.keys().eq(judged.keys()), "{:?}", shown);
            for (key, verdict) in judged {
                match verdict {
                    Verdict::Wanted(wanted) => prop_assert_eq!(links.applied.get(key), Some(wanted)),
                    Verdict::Blocked(state) => {
                        prop_assert!(!links.applied.contains_key(key));
                        prop_assert_eq!(shown.get(key), Some(state));
                    }
                    Verdict::Unsure(_) => prop_assert_eq!(links.applied.get(key), before.get(key)),
                }
            }
            prop_assert!(links.applied.keys().all(|key| judged.contains_key(key)));
        }
    }

    #[test]
    fn what_goes_makes_room_before_what_comes() {
        let mut links = Reconciler::default();
        links.done(Effect::Put(key("a", "x"), wanted("a", "1")));
        let judged = Judged::from([(key("b", "x"), Verdict::Wanted(wanted("b", "1")))]);
        let steps = links.steps(&judged, &BTreeMap::from([(key("a", "x"), State::Ready)]));
        let come = Effect::Put(key("b", "x"), wanted("b", "1"));
        assert_eq!(steps, [Effect::Delete(key("a", "x")), come, Effect::Show(key("a", "x"), None)]);
    }
}
