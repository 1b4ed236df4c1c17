//! The machine among others of its kind: a lattice in the model, with a network that loses, delays and repeats, and hosts
//! that die, sleep, restart and lose their connection.

mod world;

use std::collections::BTreeSet;

use lattice_core::Beat;
use proptest::prelude::*;

use super::{
    machine::{Effect, Event, Machine, Silence},
    peer::Standing,
};
use world::{Model, STEP_MS, Trouble, id};

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        (0_usize..8).prop_map(Trouble::Kill),
        (0_usize..8).prop_map(Trouble::Restart),
        (0_usize..8, 100_u64..9000).prop_map(|(host, ms)| Trouble::Sleep(host, ms)),
        (0_usize..8, 100_u64..9000).prop_map(|(host, ms)| Trouble::Disconnect(host, ms)),
        (0_u64..60).prop_map(Trouble::Network),
    ]
}

#[test]
fn hosts_see_each_other_at_once_and_a_killed_one_is_lost_within_three_seconds() {
    for hosts in 2..12 {
        let mut model = Model::new(hosts, 7);
        model.run(1000);
        assert_eq!(model.wrong(), Vec::<String>::new());
        for phase in 0..7 {
            model.run(9000 + phase * 100);
            assert_eq!(model.wrong(), Vec::<String>::new());
            model.cause(&Trouble::Kill(1));
            model.run(2900);
            assert_eq!(model.wrong(), Vec::<String>::new(), "{hosts} hosts, phase {phase}");
            model.cause(&Trouble::Restart(1));
            model.run(1000);
            assert_eq!(model.wrong(), Vec::<String>::new(), "{hosts} hosts, phase {phase}");
        }
    }
}

#[test]
fn a_sleeper_is_lost_and_comes_back_and_judges_nobody() {
    let mut model = Model::new(5, 3);
    model.run(5000);
    model.cause(&Trouble::Sleep(2, 6000));
    model.run(3300);
    assert_eq!(model.wrong(), Vec::<String>::new());
    model.run(3000);
    assert_eq!(model.wrong(), Vec::<String>::new(), "it is back, and thinks well of the others");
}

#[test]
fn what_is_known_better_is_not_taken_over() {
    let mut machine = Machine::new(id(0), 5);
    let beat = |sequence| Beat { epoch: 1, sequence, ..Beat::default() };
    machine.on(1, Event::Connected);
    machine.on(1, Event::Beat { from: id(1), beat: beat(8) });
    let standing = |machine: &Machine| machine.sightings()[&id(1)].standing;
    machine.on(2, Event::Told { host: id(1), last: beat(7) });
    assert_eq!(standing(&machine), Standing::Alive, "it was heard since");
    machine.on(3, Event::Told { host: id(1), last: beat(9) });
    assert_eq!(standing(&machine), Standing::Lost);
    machine.on(4, Event::Beat { from: id(1), beat: beat(9) });
    assert_eq!(standing(&machine), Standing::Lost, "a late beat");
    machine.on(5, Event::Beat { from: id(1), beat: beat(10) });
    assert_eq!(standing(&machine), Standing::Alive);
    // Of oneself: an old word is true, a word about this life is contradicted, once.
    machine.on(900, Event::Tick { load: 0 });
    let said = |machine: &mut Machine, epoch| {
        machine.on(900, Event::Told { host: id(0), last: Beat { epoch, ..beat(3) } }).len()
    };
    assert_eq!((said(&mut machine, 4), said(&mut machine, 5), said(&mut machine, 5)), (0, 1, 0));
}

#[test]
fn a_question_that_ran_out_while_this_host_slept_or_was_away_proves_nothing() {
    for event in [Event::Tick { load: 0 }, Event::Disconnected] {
        let slept = matches!(event, Event::Tick { .. });
        let mut machine = Machine::new(id(0), 1);
        machine.on(1, Event::Connected);
        machine.on(1, Event::Beat { from: id(1), beat: Beat { epoch: 1, sequence: 1, ..Beat::default() } });
        let mut asked = None;
        for step in 1..40 {
            for effect in machine.on(step * STEP_MS, Event::Tick { load: 0 }) {
                if let Effect::Ask { host, number } = effect {
                    asked = Some((host, number));
                }
            }
        }
        let (host, number) = asked.unwrap();
        machine.on(4000, event);
        let at = if slept { 9000 } else { 4100 };
        machine.on(at, Event::Silence { host, number, why: Silence::NoAnswer });
        assert_eq!(machine.sightings()[&id(1)].standing, Standing::Alive);
    }
}

#[test]
fn who_lost_its_connection_judges_nobody() {
    let mut model = Model::new(4, 3);
    model.run(5000);
    model.cause(&Trouble::Disconnect(0, 8000));
    model.run(7000);
    let seen = model.nodes[0].machine.sightings();
    assert!(seen.values().all(|sighting| sighting.standing == Standing::Alive), "{seen:?}");
    model.run(2000);
    assert_eq!(model.wrong(), Vec::<String>::new());
}

#[test]
fn a_goodbye_is_known_at_once_and_late_beats_do_not_undo_it() {
    let mut model = Model::new(3, 3);
    model.run(3000);
    model.give(0, Event::Stop);
    model.nodes[0].dead = true;
    model.run(100);
    let standing = |model: &Model, of: usize| model.nodes[1].machine.sightings()[&id(of)].standing;
    assert_eq!(standing(&model, 0), Standing::Gone);
    model.give(1, Event::Beat { from: id(0), beat: Beat { epoch: 1, sequence: 2, ..Beat::default() } });
    model.run(3000);
    assert_eq!(standing(&model, 0), Standing::Gone);
    assert_eq!(standing(&model, 2), Standing::Alive);
}

#[test]
fn a_host_whose_clock_was_set_back_is_found_all_the_same() {
    let mut model = Model::new(3, 3);
    model.run(3000);
    model.cause(&Trouble::Kill(0));
    model.run(4000);
    // As with a lost data folder: this life seems to be before the last one.
    model.nodes[0].machine = Machine::new(id(0), 0);
    model.nodes[0].dead = false;
    model.begin(0);
    model.run(3000);
    assert_eq!(model.wrong(), Vec::<String>::new());
}

#[test]
fn a_host_that_died_before_this_one_came_is_lost_without_a_word() {
    let mut machine = Machine::new(id(0), 1);
    machine.on(1, Event::Known([id(0), id(1)].into()));
    machine.on(1, Event::Connected);
    let mut asked = None;
    for step in 1..20 {
        for effect in machine.on(step * STEP_MS, Event::Tick { load: 0 }) {
            assert!(!matches!(effect, Effect::TellLost { .. }));
            if let Effect::Ask { host, number } = effect {
                asked = Some(number);
                let silence = Event::Silence { host, number, why: Silence::NoListener };
                assert_eq!(machine.on(step * STEP_MS, silence), [Effect::Listen(BTreeSet::new())]);
            }
        }
    }
    assert!(asked.is_some());
    assert_eq!(machine.sightings()[&id(1)].standing, Standing::Lost);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// After whatever went wrong, and half a minute of calm: who lives and is connected is alive for everybody, and who
    /// is dead for nobody.
    #[test]
    fn in_the_end_everybody_is_right(
        hosts in 2_usize..8,
        seed: u64,
        troubles in proptest::collection::vec((trouble(), 0_u64..4000), 0..14),
    ) {
        let mut model = Model::new(hosts, seed);
        for (trouble, pause) in &troubles {
            model.cause(trouble);
            model.run(*pause);
        }
        model.cause(&Trouble::Network(0));
        model.run(9000 + 2 * 10_000 + 6 * 3000);
        prop_assert_eq!(model.wrong(), Vec::<String>::new());
    }

    /// While the network is well nobody who is well is taken for lost, whatever befalls the others.
    #[test]
    fn nobody_is_wronged(
        hosts in 2_usize..8,
        seed: u64,
        troubles in proptest::collection::vec((trouble(), 0_u64..4000), 0..14),
    ) {
        let mut model = Model::new(hosts, seed);
        for (trouble, pause) in troubles.iter().filter(|(trouble, _)| !matches!(trouble, Trouble::Network(_))) {
            model.cause(trouble);
            model.run(*pause);
        }
        model.run(10_000);
        prop_assert_eq!(model.false_alarms, Vec::<String>::new());
    }
}
