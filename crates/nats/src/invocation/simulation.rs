//! Both state machines against each other over a network that loses, repeats, delays and swaps messages, with readers
//! that stall, sides that die, and clocks an hour apart: no call hangs, no byte comes twice or in another order, and what
//! ends well is whole.

mod plan;

use std::time::Duration;

use bytes::Bytes;
use lattice_core::{EntityId, ErrorCode, InvocationId};
use proptest::prelude::*;
use tokio::time::Instant;

use plan::{Clocks, Fate, Plan, plans};

use super::{
    callee::Callee,
    caller::Caller,
    exchange::{Exchange, Note},
    failure::Failure,
    header::{Header, Kind},
    window::{Incoming, WINDOW},
};

/// One step of the simulated clock, which is also its tick.
const STEP: Duration = Duration::from_millis(100);
/// The deadline of every call, in steps.
const DEADLINE: u32 = 300;
/// By then everything has to be over: the deadline, what each side grants beyond it, and what is on the way.
const OVER: u32 = DEADLINE + 40;
/// How far the clocks of the two sides may be apart.
const HOUR: Duration = Duration::from_secs(3600);
/// Pieces are small, so that there are many.
const PIECE: usize = 20_000;

#[derive(Debug, Clone)]
struct Message {
    header: String,
    body: Bytes,
    named: bool,
}

/// Messages on the way to one side.
#[derive(Default)]
struct Way(Vec<(u32, Message)>);

impl Way {
    fn due(&mut self, step: u32) -> Vec<Message> {
        let (due, rest) = std::mem::take(&mut self.0).into_iter().partition(|(at, _)| *at <= step);
        self.0 = rest;
        let due: Vec<(u32, Message)> = due;
        due.into_iter().map(|(_, message)| message).collect()
    }
}

struct World {
    plan: Plan,
    origin: Instant,
    step: u32,
    sent: usize,
    to_callee: Way,
    to_caller: Way,
    caller: Caller,
    callee: Option<Callee>,
    got_request: Vec<u8>,
    got_reply: Vec<u8>,
    called_at: Option<u32>,
    /// When each side's call was over.
    caller_over: Option<u32>,
    callee_over: Option<u32>,
}

fn pattern(from: u64, len: usize) -> Bytes {
    (from..from + len as u64).map(|n| (n * 31 % 251) as u8).collect()
}

fn id() -> InvocationId {
    InvocationId::from_bits(7)
}

fn note_of(note: Note) -> (String, Bytes) {
    let header = match note {
        Note::Credit(credit) => Header { credit: Some(credit), ..Header::new(Kind::Credit, id()) },
        Note::Alive { sent, fin, credit } => {
            Header { offset: sent, fin, credit: Some(credit), ..Header::new(Kind::Alive, id()) }
        }
        Note::Cancel => Header::new(Kind::Cancel, id()),
        Note::Error(_) => Header { code: Some("backend"), ..Header::new(Kind::Error, id()) },
    };
    (header.encode(), Bytes::new())
}

impl World {
    fn new(plan: Plan) -> Self {
        // Late enough that an hour earlier is an instant too.
        let origin = Instant::now() + HOUR;
        let caller = Caller::new(origin, origin + STEP * DEADLINE, WINDOW);
        let mut world = Self {
            plan,
            origin,
            step: 0,
            sent: 0,
            to_callee: Way::default(),
            to_caller: Way::default(),
            caller,
            callee: None,
            got_request: Vec::new(),
            got_reply: Vec::new(),
            called_at: None,
            caller_over: None,
            callee_over: None,
        };
        let first = world.plan.request.min(PIECE);
        let fin = first == world.plan.request;
        world.caller.called(origin, first as u64, fin);
        let header =
            Header { fin, credit: Some(WINDOW), time_left_ms: Some(30_000), ..Header::new(Kind::Call, id()) };
        world.post(true, (header.encode(), pattern(0, first)), false);
        world
    }

    /// What the caller's clock shows.
    fn now(&self) -> Instant {
        self.origin + STEP * self.step
    }

    /// What the callee's clock shows.
    fn callee_now(&self) -> Instant {
        match self.plan.clocks {
            Clocks::Equal => self.now(),
            Clocks::HourAhead => self.now() + HOUR,
            Clocks::HourBehind => self.now() - HOUR,
        }
    }

    fn post(&mut self, to_callee: bool, (header, body): (String, Bytes), named: bool) {
        let fate = self.plan.fates.get(self.sent).copied().unwrap_or(Fate::Arrives);
        self.sent += 1;
        let message = Message { header, body, named };
        let way = if to_callee { &mut self.to_callee } else { &mut self.to_caller };
        match fate {
            Fate::Arrives => way.0.push((self.step + 1, message)),
            Fate::Lost => {}
            Fate::Twice => way.0.extend([(self.step + 1, message.clone()), (self.step + 1, message)]),
            Fate::Late(steps) => way.0.push((self.step + 1 + steps, message)),
        }
    }

    fn run(&mut self) {
        while self.step < OVER {
            self.step += 1;
            self.callee_step();
            self.caller_step();
        }
    }

    fn callee_step(&mut self) {
        let (now, step) = (self.callee_now(), self.step);
        if self.plan.callee_dies.is_some_and(|at| step >= at) {
            self.callee = None;
            self.callee_over.get_or_insert(step);
        }
        let dead = self.callee_over.is_some();
        let mut out = Vec::new();
        for message in self.to_callee.due(step) {
            let header = Header::decode(&message.header).unwrap();
            match (&mut self.callee, header.kind) {
                (None, Kind::Call) if !dead => {
                    let bytes = message.body.len() as u64;
                    let mut request =
                        if header.fin { Incoming::whole(bytes) } else { Incoming::new(bytes, WINDOW) };
                    if header.fin {
                        self.got_request.extend_from_slice(&message.body);
                    } else {
                        request.accept(0, message.body, false).unwrap();
                    }
                    let deadline = now + Duration::from_millis(header.time_left_or_default());
                    self.called_at = Some(step);
                    self.callee = Some(Callee::new(now, deadline, request, header.credit.unwrap_or(WINDOW)));
                }
                (Some(callee), _) => out.extend(callee.message(now, &header, message.body).map(note_of)),
                (None, _) => {}
            }
        }
        if let Some(callee) = &mut self.callee {
            out.extend(callee.tick(now, false).map(note_of));
            if step.is_multiple_of(self.plan.pace) {
                while let Some(body) = callee.exchange.incoming.take() {
                    self.got_request.extend_from_slice(&body);
                    out.extend(callee.credit(now, false).map(note_of));
                }
                out.extend(callee.credit(now, true).map(note_of));
            }
            let ready = callee.exchange.incoming.is_done()
                && self.called_at.is_some_and(|at| step >= at + self.plan.works);
            while ready && callee.exchange.end().is_none() {
                let Some(piece) = next_piece(&callee.exchange, self.plan.reply) else { break };
                let kind = if callee.exchange.outgoing.sent() == 0 { Kind::Reply } else { Kind::More };
                out.push(write(&callee.exchange, kind, piece));
                callee.wrote(now, piece.0 as u64, piece.1);
            }
            if callee.exchange.end().is_some() {
                self.callee = None;
                self.callee_over = Some(step);
            }
        }
        for message in out {
            let named = !message.0.ends_with(" f") && !message.0.contains(" error ");
            self.post(false, message, named);
        }
    }

    fn caller_step(&mut self) {
        let (now, step) = (self.now(), self.step);
        let mut out = Vec::new();
        let target = EntityId::new("t").unwrap();
        if self.plan.caller_leaves.is_some_and(|at| step >= at) && self.caller_over.is_none() {
            // Its process goes on, so what still comes is answered.
            out.extend(self.caller.fail(Failure::Cancelled).map(note_of));
            self.caller_over = Some(step);
        }
        for message in self.to_caller.due(step) {
            if self.caller_over.is_some() {
                out.extend(message.named.then(|| note_of(Note::Cancel)));
                continue;
            }
            let header = Header::decode(&message.header).unwrap();
            out.extend(self.caller.message(now, &header, message.body, message.named, &target).map(note_of));
        }
        if self.caller_over.is_none() {
            out.extend(self.caller.tick(now, false).map(note_of));
            if step.is_multiple_of(self.plan.pace) || self.caller.exchange.end().is_some() {
                while let Some(body) = self.caller.exchange.incoming.take() {
                    self.got_reply.extend_from_slice(&body);
                    out.extend(self.caller.credit(now, false).map(note_of));
                }
                out.extend(self.caller.credit(now, true).map(note_of));
            }
            while self.caller.exchange.end().is_none() && !self.caller.exchange.outgoing.ended() {
                let Some(piece) = next_piece(&self.caller.exchange, self.plan.request) else { break };
                out.push(write(&self.caller.exchange, Kind::More, piece));
                self.caller.wrote(now, piece.0 as u64, piece.1);
            }
            if self.caller.exchange.end().is_some() {
                self.caller_over = Some(step);
            }
        }
        for message in out {
            self.post(true, message, false);
        }
    }
}

/// Length and end of what may be sent now.
fn next_piece(exchange: &Exchange, total: usize) -> Option<(usize, bool)> {
    let left = total - exchange.outgoing.sent() as usize;
    let len = left.min(PIECE).min(exchange.outgoing.room() as usize);
    (len > 0 || left == 0).then_some((len, len == left))
}

fn write(exchange: &Exchange, kind: Kind, (len, fin): (usize, bool)) -> (String, Bytes) {
    let offset = exchange.outgoing.sent();
    (Header { offset, fin, ..Header::new(kind, id()) }.encode(), pattern(offset, len))
}

fn check(world: &World) {
    let Plan { request, reply, .. } = world.plan;
    assert!(pattern(0, request).starts_with(&world.got_request), "the request's bytes, once and in order");
    assert!(pattern(0, reply).starts_with(&world.got_reply), "the reply's bytes, once and in order");
    let over = world.caller_over.expect("the caller's call is over");
    assert!(over <= DEADLINE + 4, "by its deadline, and not {over}");
    if world.called_at.is_some() {
        assert!(world.callee_over.is_some(), "the callee's call is over");
    }
    if world.caller.exchange.end() == Some(&Ok(())) {
        assert_eq!(
            (world.got_request.len(), world.got_reply.len()),
            (request, reply),
            "what ends well is whole"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_call_hangs_or_tears(plan in plans()) {
        let mut world = World::new(plan);
        world.run();
        check(&world);
    }

    #[test]
    fn without_losses_every_call_ends_well(plan in plans()) {
        let plan = Plan { fates: Vec::new(), callee_dies: None, caller_leaves: None, pace: plan.pace.min(5), ..plan };
        let mut world = World::new(plan);
        world.run();
        check(&world);
        prop_assert_eq!(world.caller.exchange.end(), Some(&Ok(())));
    }

    /// A callee that does not answer is told so by its own clock, however wrong: at the deadline, and not before.
    #[test]
    fn deadlines_hold_whatever_the_clocks_show(plan in plans()) {
        let plan = Plan {
            request: 0, fates: Vec::new(), works: OVER, callee_dies: None, caller_leaves: None, ..plan
        };
        let mut world = World::new(plan);
        world.run();
        check(&world);
        // Its time left counts from the receipt, a step after the call; a tenth of a second is its grace.
        prop_assert_eq!(world.callee_over, Some(DEADLINE + 2));
        prop_assert_eq!(world.caller_over, Some(DEADLINE + 3));
    }

    /// Whatever is lost or dies: the caller knows 3 s after the last that it heard.
    #[test]
    fn a_dead_callee_is_noticed_by_silence(plan in plans(), dies in 0u32..60) {
        let plan = Plan { callee_dies: Some(dies), caller_leaves: None, works: 100, ..plan };
        let mut world = World::new(plan);
        world.run();
        check(&world);
        // What is late may still be heard; 40 steps are the latest.
        prop_assert!(world.caller_over.unwrap() <= dies + 41 + 32);
    }
}

#[test]
fn a_lost_credit_is_mended_and_a_lost_piece_is_not() {
    // Messages in order: call, first credit of the callee, …; the reply's credits follow the request.
    let plan = |fates| Plan {
        request: 600_000,
        reply: 600_000,
        fates,
        works: 0,
        pace: 1,
        callee_dies: None,
        caller_leaves: None,
        clocks: Clocks::Equal,
    };
    let mut lost_credit = World::new(plan(vec![Fate::Arrives, Fate::Lost]));
    lost_credit.run();
    check(&lost_credit);
    assert_eq!(lost_credit.caller.exchange.end(), Some(&Ok(())));
    let mut lost_piece = World::new(plan(vec![Fate::Arrives, Fate::Arrives, Fate::Lost]));
    lost_piece.run();
    check(&lost_piece);
    let Some(Err(Failure::Told(error))) = lost_piece.caller.exchange.end() else {
        panic!("the callee says so")
    };
    assert_eq!(error.code, ErrorCode::Backend, "as this simulation writes every error");
    assert!(lost_piece.caller_over.unwrap() < 40);
}
