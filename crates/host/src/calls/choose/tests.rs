use proptest::prelude::*;

use super::*;

fn id(letter: char) -> HostId {
    HostId::new(format!("N{}", letter.to_string().repeat(55))).unwrap()
}

fn host(letter: char, alive: bool, load: u16, site: Option<&str>) -> Candidate {
    Candidate { host: id(letter), alive, load, site: site.map(str::to_owned) }
}

fn nobody_asked<'a>(distance: Distance, here: Here, me: &'a HostId, hosts: &'a [Candidate]) -> Situation<'a> {
    Situation { distance, me, site: None, here, hosts, asked: &[], anyone_asked: false }
}

fn to(letter: char, patient: bool) -> Choice {
    Choice::Host { host: id(letter), patient }
}

#[test]
fn local_first_and_never_further_than_the_link_says() {
    let me = id('M');
    let hosts = [host('M', true, 900, None), host('A', true, 0, None)];
    for (distance, here, want) in [
        (Distance::PreferLocal, Here::Free, Choice::Local),
        (Distance::PreferLocal, Here::Full, to('A', false)),
        (Distance::PreferLocal, Here::No, to('A', true)),
        (Distance::Local, Here::Free, Choice::Local),
        (Distance::Local, Here::Full, Choice::Local),
        (Distance::Local, Here::No, Choice::Nobody(Why::TooFar)),
        (Distance::Lattice, Here::Free, to('A', false)),
        (Distance::Lattice, Here::No, to('A', true)),
    ] {
        assert_eq!(choose(&nobody_asked(distance, here, &me, &hosts), 7), want, "{distance} {here:?}");
    }
}

#[test]
fn lost_hosts_get_nothing_and_unknown_targets_are_offered_to_anyone() {
    let me = id('M');
    let lost = [host('A', false, 0, None)];
    let none = |hosts| choose(&nobody_asked(Distance::PreferLocal, Here::No, &me, hosts), 0);
    assert_eq!(none(&lost), Choice::Nobody(Why::Lost(vec![id('A')])));
    assert_eq!(none(&[]), Choice::Anyone);
    let asked = Situation { anyone_asked: true, ..nobody_asked(Distance::Lattice, Here::No, &me, &[]) };
    assert_eq!(choose(&asked, 0), Choice::Nobody(Why::Nowhere));
}

#[test]
fn another_site_serves_only_when_this_one_has_none() {
    let me = id('M');
    let hosts = [host('A', true, 1000, Some("here")), host('B', true, 0, Some("there"))];
    let from =
        |hosts| Situation { site: Some("here"), ..nobody_asked(Distance::PreferLocal, Here::No, &me, hosts) };
    for random in [0, 1, u64::MAX, 1 << 32] {
        assert_eq!(choose(&from(&hosts), random), to('A', false));
        assert_eq!(choose(&from(&hosts[1..]), random), to('B', true));
    }
}

#[test]
fn when_all_are_busy_the_call_waits_at_one() {
    let me = id('M');
    let hosts = [host('A', true, 700, None), host('B', true, 600, None)];
    let busy = |letter| Asked { host: id(letter), refusal: Refusal::Busy, patient: false };
    let asked = [busy('A'), busy('B')];
    let situation = Situation { asked: &asked, ..nobody_asked(Distance::PreferLocal, Here::No, &me, &hosts) };
    assert_eq!(choose(&situation, 3), to('B', true));
    let here = Situation { here: Here::Full, ..situation };
    assert_eq!(choose(&here, 3), Choice::Local, "the nearest place to wait is here");
    let twice = [busy('A'), busy('B'), Asked { patient: true, ..busy('B') }];
    let refused = Situation { asked: &twice, ..situation };
    assert_eq!(choose(&refused, 3), Choice::Anyone);
}

#[derive(Debug, Clone)]
struct World {
    distance: Distance,
    here: Here,
    hosts: Vec<Candidate>,
    /// What each step's host answers: refused as busy, gone, or taken.
    answers: Vec<Option<Refusal>>,
    random: Vec<u64>,
}

fn world() -> impl Strategy<Value = World> {
    let distance = prop_oneof![Just(Distance::Local), Just(Distance::PreferLocal), Just(Distance::Lattice)];
    let here = prop_oneof![Just(Here::No), Just(Here::Free), Just(Here::Full)];
    let site = prop_oneof![Just(None), Just(Some("s".to_owned()))];
    let one = (any::<bool>(), 0_u16..=1000, site);
    let hosts = proptest::collection::vec(one, 0..7).prop_map(|rows| {
        let letters = "MABCDEF".chars();
        rows.into_iter()
            .zip(letters)
            .map(|((alive, load, site), letter)| Candidate { host: id(letter), alive, load, site })
            .collect::<Vec<_>>()
    });
    let answer = prop_oneof![Just(None), Just(Some(Refusal::Busy)), Just(Some(Refusal::Gone))];
    let answers = proptest::collection::vec(answer, 16);
    (distance, here, hosts, answers, proptest::collection::vec(any::<u64>(), 16))
        .prop_map(|(distance, here, hosts, answers, random)| World { distance, here, hosts, answers, random })
}

proptest! {
    /// Whatever hosts answer: few steps, no lost host, nothing beyond the link's distance, nobody asked twice without
    /// patience, this site first, and no end while a living host that might be free was not asked.
    #[test]
    fn a_call_ends_after_few_steps_at_the_right_host(world in world()) {
        let me = id('M');
        let (mut asked, mut anyone_asked) = (Vec::<Asked>::new(), false);
        let mut steps = 0;
        loop {
            steps += 1;
            prop_assert!(steps <= HOSTS_ASKED_MAX + 3, "{asked:?}");
            let situation = Situation {
                distance: world.distance, me: &me, site: None, here: world.here, hosts: &world.hosts,
                asked: &asked, anyone_asked,
            };
            let choice = choose(&situation, world.random[steps]);
            let others: Vec<&Candidate> =
                world.hosts.iter().filter(|one| one.alive && one.host != me).collect();
            let unasked = others.iter().filter(|one| asked.iter().all(|a| a.host != one.host)).count();
            match choice {
                Choice::Local => { prop_assert!(world.here != Here::No); break; }
                Choice::Host { host, patient } => {
                    prop_assert!(world.distance != Distance::Local);
                    prop_assert!(!(world.distance == Distance::PreferLocal && world.here == Here::Free));
                    let one = others.iter().find(|one| one.host == host);
                    let Some(one) = one else { return Err(TestCaseError::fail("a lost host, or this one")) };
                    let repeated = asked.iter().any(|a| a.host == host);
                    prop_assert!(!repeated || patient);
                    if !repeated && one.site.is_some() {
                        let near_left = others.iter()
                            .filter(|o| o.site.is_none() && asked.iter().all(|a| a.host != o.host)).count();
                        prop_assert_eq!(near_left, 0, "this site has one that was not asked");
                    }
                    match world.answers[steps] {
                        None => break,
                        Some(refusal) => asked.push(Asked { host, refusal, patient }),
                    }
                }
                Choice::Anyone => {
                    prop_assert!(world.distance != Distance::Local && world.here == Here::No);
                    prop_assert!(world.hosts.iter().all(|one| one.alive), "one of them may be a lost one");
                    prop_assert!(!anyone_asked);
                    match world.answers[steps] { None => break, Some(_) => anyone_asked = true }
                }
                Choice::Nobody(_) => {
                    prop_assert_eq!(world.here, Here::No);
                    let full = asked.len() >= HOSTS_ASKED_MAX || anyone_asked;
                    prop_assert!(world.distance == Distance::Local || unasked == 0 || full);
                    break;
                }
            }
        }
    }

    /// A provider has no permits: in this process it is free, or refused the call already. Wherever it is, it is asked once
    /// at most in each of the two rounds, before and after the one here refused, and none is left that was not asked.
    #[test]
    fn a_provider_is_found_wherever_it_is(world in world()) {
        let me = id('M');
        let (mut here, mut here_asked) = (if world.here == Here::No { Here::No } else { Here::Free }, 0);
        let (mut asked, mut anyone_asked) = (Vec::<Asked>::new(), false);
        for (step, answer) in world.answers.iter().enumerate() {
            let situation = Situation {
                distance: world.distance, me: &me, site: None, here, hosts: &world.hosts, asked: &asked, anyone_asked,
            };
            match choose(&situation, world.random[step]) {
                Choice::Local => {
                    here_asked += 1;
                    prop_assert!(here == Here::Free && here_asked == 1);
                    if answer.is_none() || world.distance == Distance::Local { return Ok(()); }
                    (here, anyone_asked) = (Here::No, false);
                    asked.clear();
                }
                Choice::Host { host, patient } => {
                    prop_assert!(host != me && world.distance != Distance::Local);
                    prop_assert!(patient || asked.iter().all(|one| one.host != host));
                    match answer {
                        None => return Ok(()),
                        Some(refusal) => asked.push(Asked { host, refusal: *refusal, patient }),
                    }
                }
                Choice::Anyone => match answer { None => return Ok(()), Some(_) => anyone_asked = true },
                Choice::Nobody(_) => {
                    prop_assert!(here_asked == 1 || world.here == Here::No, "the one here was not asked");
                    let left = world.hosts.iter()
                        .filter(|one| one.alive && one.host != me && asked.iter().all(|a| a.host != one.host))
                        .count();
                    let full = asked.len() >= HOSTS_ASKED_MAX || anyone_asked;
                    prop_assert!(left == 0 || full || world.distance == Distance::Local);
                    return Ok(());
                }
            }
        }
        prop_assert!(world.answers.is_empty(), "it never ends");
    }

    /// Of two hosts the busier one never gets more than its share.
    #[test]
    fn the_less_busy_of_two_wins(a in 0_u16..1000, b in 0_u16..1000, random in any::<u64>()) {
        prop_assume!(a != b);
        let me = id('M');
        let hosts = [host('A', true, a, None), host('B', true, b, None)];
        let choice = choose(&nobody_asked(Distance::PreferLocal, Here::No, &me, &hosts), random);
        prop_assert_eq!(choice, to(if a < b { 'A' } else { 'B' }, false));
    }
}
