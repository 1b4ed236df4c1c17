//! A host's links in the model: facts that come late, twice, in another order or not at all, actors and other hosts that
//! come and go, providers that repeat themselves. One full read leads to where the orderly way leads.
//!
//! The parts are the real ones; only NATS and what the providers do are played.

mod host;
mod lattice;

use proptest::prelude::*;

use host::{Model, Step, Trouble, Way, step};
use lattice::Truth;

proptest! {
    /// Whatever becomes of the events, one full read leads to the same links, states and routes as hearing all of them in
    /// order; on the way nothing is done twice, and nothing is taken away that nobody deleted.
    #[test]
    fn one_full_read_leads_where_the_orderly_way_leads(steps in proptest::collection::vec(step(), 0..40)) {
        let (mut truth, mut troubled, mut orderly) = (Truth::default(), Model::new(), Model::new());
        for step in &steps {
            let fact = truth.change(&step.change);
            troubled.hear(step, fact.clone(), &truth);
            let straight = Step { way: Way::Straight, looks: true, trouble: None, ..step.clone() };
            orderly.hear(&straight, fact, &truth);
            prop_assert_eq!(orderly.look(), 0, "a second look finds something to do");
        }
        troubled.join(&truth.bucket);
        troubled.look();
        prop_assert_eq!(troubled.look(), 0, "a second look finds something to do");
        let mut fresh = Model::new();
        (fresh.actors, fresh.seen) = (truth.actors.clone(), truth.seen.clone());
        fresh.join(&truth.bucket);
        fresh.look();
        prop_assert_eq!(&troubled.outcome(), &orderly.outcome());
        prop_assert_eq!(&fresh.outcome(), &orderly.outcome());
    }

    /// A watch that was lost, a bucket that was wiped, a read of an old one: nothing is done about any of it.
    #[test]
    fn what_is_not_evidence_changes_nothing(
        steps in proptest::collection::vec(step(), 0..30),
        ago in 0_usize..30,
    ) {
        let (mut truth, mut host) = (Truth::default(), Model::new());
        for step in &steps {
            let fact = truth.change(&step.change);
            host.hear(&Step { way: Way::Straight, looks: true, trouble: None, ..step.clone() }, fact, &truth);
        }
        let before = host.outcome();
        for trouble in [Trouble::Wiped, Trouble::Late].into_iter().chain((!steps.is_empty()).then_some(Trouble::OldRead(ago))) {
            host.trouble(&trouble, &truth);
            prop_assert_eq!(host.look(), 0);
        }
        prop_assert_eq!(host.outcome(), before);
    }
}
