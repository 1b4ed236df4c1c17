//! Hosts of wasmCloud 1.x that come after this one, as a pure machine: `(state, event) -> (state, effects)`.
//!
//! A heartbeat without our fields shows one, and so does its answer when it is asked; a goodbye, or that nobody listens for
//! it, shows that it has gone. Silence counts when it was asked twice. What cannot be asked now is asked later: that
//! proves nothing.

use std::collections::BTreeMap;

use lattice_core::HostId;

/// Milliseconds on a clock that only goes forward.
pub(super) type At = u64;

/// A host that has just started gets so long to show that it is of our kind.
const SHOWS_ITSELF_MS: At = 2000;
/// How often a host of 1.x is asked whether it is still there.
const ASK_EVERY_MS: At = 5000;
/// After so long it is asked again, when no answer came.
const ASK_AGAIN_MS: At = 2000;
/// So many questions without an answer mean that it has gone.
const MISSES: u32 = 2;
/// The most hosts that are kept in mind: one is enough to be degraded.
const KNOWN_MAX: usize = 64;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A host of 1.x told its inventory.
    Heard { host: HostId, name: String },
    /// A host started of which nothing is known yet.
    Started { host: HostId },
    /// A host stopped in order.
    Stopped { host: HostId },
    /// What came of a question.
    Answered { host: HostId, number: u64, answer: Answer },
    /// Time passed.
    Tick,
}

/// What comes of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is of 1.x, and has this name.
    V1 { name: String },
    /// It is of our kind.
    Ours,
    /// Nobody listens for it.
    Nobody,
    /// No answer came in time.
    Silence,
    /// The question did not get through, or its answer cannot be read.
    Unsure,
}

/// Ask this host what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) host: HostId,
    pub(super) number: u64,
}

#[derive(Debug)]
struct Neighbour {
    /// None until it is known to be of 1.x.
    name: Option<String>,
    ask_at: At,
    asked: Option<u64>,
    missed: u32,
}

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    known: BTreeMap<HostId, Neighbour>,
    questions: u64,
}

impl Neighbours {
    /// Takes an event in; whom to ask.
    pub(super) fn on(&mut self, at: At, event: Event) -> Vec<Ask> {
        match event {
            Event::Heard { host, name } => self.show(at, host, name),
            Event::Started { host } => {
                if self.has_room_for(&host) {
                    let (ask_at, asked) = (at + SHOWS_ITSELF_MS, None);
                    let neighbour = Neighbour { name: None, ask_at, asked, missed: 0 };
                    self.known.entry(host).or_insert(neighbour);
                }
            }
            Event::Stopped { host } => drop(self.known.remove(&host)),
            Event::Answered { host, number, answer } => self.answered(at, host, number, answer),
            Event::Tick => return self.ask(at),
        }
        Vec::new()
    }

    /// The hosts of 1.x, with their names, by id.
    pub(super) fn of_v1(&self) -> impl Iterator<Item = (&HostId, &str)> {
        self.known.iter().filter_map(|(host, neighbour)| Some((host, neighbour.name.as_deref()?)))
    }

    fn has_room_for(&self, host: &HostId) -> bool {
        self.known.len() < KNOWN_MAX || self.known.contains_key(host)
    }

    /// A host has shown that it is of 1.x, and there. What becomes of a question that is on its way says less.
    fn show(&mut self, at: At, host: HostId, name: String) {
        if self.has_room_for(&host) {
            let ask_at = at + ASK_EVERY_MS;
            let neighbour = Neighbour { name: Some(name), ask_at, asked: None, missed: 0 };
            self.known.insert(host, neighbour);
        }
    }

    fn answered(&mut self, at: At, host: HostId, number: u64, answer: Answer) {
        let Some(neighbour) = self.known.get_mut(&host).filter(|one| one.asked == Some(number)) else {
            return;
        };
        neighbour.asked = None;
        neighbour.ask_at = at + ASK_AGAIN_MS;
        neighbour.missed += u32::from(answer == Answer::Silence);
        let has_gone = matches!(answer, Answer::Ours | Answer::Nobody) || neighbour.missed >= MISSES;
        match answer {
            Answer::V1 { name } => self.show(at, host, name),
            _ if has_gone => drop(self.known.remove(&host)),
            _ => {}
        }
    }

    fn ask(&mut self, at: At) -> Vec<Ask> {
        let questions = &mut self.questions;
        let due = self.known.iter_mut().filter(|(_, one)| one.asked.is_none() && at >= one.ask_at);
        due.map(|(host, one)| {
            *questions += 1;
            one.asked = Some(*questions);
            Ask { host: host.clone(), number: *questions }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(letter: u8) -> HostId {
        HostId::new(format!("N{}", char::from(b'A' + letter).to_string().repeat(55))).unwrap()
    }

    fn names(neighbours: &Neighbours) -> Vec<String> {
        neighbours.of_v1().map(|(_, name)| name.to_owned()).collect()
    }

    fn heard(letter: u8) -> Event {
        Event::Heard { host: host(letter), name: format!("old-{letter}") }
    }

    #[test]
    fn a_heartbeat_shows_one_and_a_goodbye_takes_it_away() {
        let mut neighbours = Neighbours::default();
        assert_eq!(neighbours.on(0, heard(0)), []);
        assert_eq!(names(&neighbours), ["old-0"]);
        neighbours.on(10, Event::Stopped { host: host(0) });
        assert_eq!(names(&neighbours), [""; 0]);
    }

    #[test]
    fn who_starts_is_asked_what_it_is_unless_it_shows_itself() {
        let mut neighbours = Neighbours::default();
        neighbours.on(0, Event::Started { host: host(0) });
        neighbours.on(0, Event::Started { host: host(1) });
        assert_eq!(neighbours.on(SHOWS_ITSELF_MS - 1, Event::Tick), []);
        neighbours.on(SHOWS_ITSELF_MS - 1, heard(1));
        let asked = neighbours.on(SHOWS_ITSELF_MS, Event::Tick);
        assert_eq!(asked, [Ask { host: host(0), number: 1 }]);
        assert_eq!(neighbours.on(SHOWS_ITSELF_MS + 1, Event::Tick), [], "it is being asked");
        let ours = Event::Answered { host: host(0), number: 1, answer: Answer::Ours };
        neighbours.on(SHOWS_ITSELF_MS + 2, ours);
        assert_eq!(names(&neighbours), ["old-1"]);
    }

    /// Lets the time of the next question come, and answers it.
    fn ask(neighbours: &mut Neighbours, at: &mut At, answer: Answer) {
        *at += ASK_EVERY_MS + 1;
        let [Ask { host, number }] = neighbours.on(*at, Event::Tick).try_into().unwrap();
        neighbours.on(*at + 1, Event::Answered { host, number, answer });
    }

    #[test]
    fn silence_counts_twice_and_a_question_that_did_not_get_through_never() {
        let (mut neighbours, mut at) = (Neighbours::default(), 0);
        neighbours.on(at, heard(0));
        for _ in 0..5 {
            ask(&mut neighbours, &mut at, Answer::Unsure);
        }
        ask(&mut neighbours, &mut at, Answer::Silence);
        ask(&mut neighbours, &mut at, Answer::V1 { name: "old-0".into() });
        ask(&mut neighbours, &mut at, Answer::Silence);
        assert_eq!(names(&neighbours), ["old-0"]);
        ask(&mut neighbours, &mut at, Answer::Silence);
        assert_eq!(names(&neighbours), [""; 0]);
        neighbours.on(at, heard(0));
        ask(&mut neighbours, &mut at, Answer::Nobody);
        assert_eq!(names(&neighbours), [""; 0]);
    }

    /// A lattice: which hosts of 1.x live.
    #[derive(Debug, Clone)]
    enum Happens {
        Heartbeat(u8),
        Started(u8),
        Goodbye(u8),
        Dies(u8),
        Lives(u8),
        /// So long passes; questions are answered truly, or not at all where that is false.
        Time(At, bool),
        /// An answer to a question that nobody put, or that is long past.
        Stray(u8, u64),
    }

    fn happens() -> impl Strategy<Value = Happens> {
        let which = 0_u8..4;
        prop_oneof![
            which.clone().prop_map(Happens::Heartbeat),
            which.clone().prop_map(Happens::Started),
            which.clone().prop_map(Happens::Goodbye),
            which.clone().prop_map(Happens::Dies),
            which.clone().prop_map(Happens::Lives),
            (100_u64..9000, any::<bool>()).prop_map(|(ms, through)| Happens::Time(ms, through)),
            (which, 0_u64..40).prop_map(|(which, number)| Happens::Stray(which, number)),
        ]
    }

    struct Play {
        neighbours: Neighbours,
        alive: [bool; 4],
        at: At,
        open: Vec<u64>,
    }

    impl Play {
        fn pass(&mut self, ms: At, through: bool) {
            for _ in 0..ms.div_ceil(500) {
                self.at += 500;
                for Ask { host: asked, number } in self.neighbours.on(self.at, Event::Tick) {
                    assert!(!self.open.contains(&number));
                    self.open.push(number);
                    let which = (0..4_u8).find(|which| host(*which) == asked).unwrap();
                    let answer = match (through, self.alive[usize::from(which)]) {
                        (false, _) => Answer::Unsure,
                        (true, true) => Answer::V1 { name: format!("old-{which}") },
                        (true, false) => Answer::Nobody,
                    };
                    self.neighbours.on(self.at, Event::Answered { host: asked, number, answer });
                }
            }
        }
    }

    proptest! {
        /// Whatever was heard, lost or late before: some calm later those that live and beat are known, and no others.
        #[test]
        fn in_the_end_it_is_right(before in proptest::collection::vec(happens(), 0..40)) {
            let mut play =
                Play { neighbours: Neighbours::default(), alive: [false; 4], at: 0, open: Vec::new() };
            for what in before {
                let now = play.at;
                match what {
                    Happens::Heartbeat(which) => drop(play.neighbours.on(now, heard(which))),
                    Happens::Started(which) => {
                        drop(play.neighbours.on(now, Event::Started { host: host(which) }));
                    }
                    Happens::Goodbye(which) => {
                        drop(play.neighbours.on(now, Event::Stopped { host: host(which) }));
                    }
                    Happens::Dies(which) => play.alive[usize::from(which)] = false,
                    Happens::Lives(which) => play.alive[usize::from(which)] = true,
                    Happens::Time(ms, through) => play.pass(ms, through),
                    Happens::Stray(which, number) => {
                        let before = names(&play.neighbours);
                        let stray = Event::Answered { host: host(which), number, answer: Answer::Nobody };
                        play.neighbours.on(now, stray);
                        prop_assert_eq!(names(&play.neighbours), before);
                    }
                }
            }
            let living: Vec<u8> = (0..4).filter(|which| play.alive[usize::from(*which)]).collect();
            for which in &living {
                play.neighbours.on(play.at, heard(*which));
            }
            play.pass(2 * ASK_EVERY_MS, true);
            let expected: Vec<String> = living.iter().map(|which| format!("old-{which}")).collect();
            prop_assert_eq!(names(&play.neighbours), expected.clone());
            // A connection that is gone is no evidence.
            play.pass(60_000, false);
            prop_assert_eq!(names(&play.neighbours), expected);
        }
    }

    #[test]
    fn a_flood_of_names_is_bounded() {
        let mut neighbours = Neighbours::default();
        for number in 0..1000 {
            let letter = |c: char| c.to_digit(10).map_or(c, |digit| char::from(b'A' + digit as u8));
            let id: String = format!("{number:K>55}").chars().map(letter).collect();
            neighbours.on(0, Event::Started { host: HostId::new(format!("N{id}")).unwrap() });
        }
        assert_eq!(neighbours.known.len(), KNOWN_MAX);
    }
}
