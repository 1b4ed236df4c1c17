//! See [`crate::fuzzing`]: the header of every message, and both sides of a call.

use std::time::Duration;

use bytes::Bytes;
use lattice_core::{EntityId, Hop, InvocationId, ProviderId};
use tokio::time::Instant;

use super::{
    budget::Budget,
    callee::Callee,
    caller::Caller,
    exchange::Exchange,
    failure::{Failure, read_error, read_hop},
    header::{Header, Kind},
    window::{Incoming, WINDOW},
};
use crate::fuzzing::Input;

/// The longest body of one message here.
const BODY_MAX: u64 = 16 * 1024;

/// A header that reads is written as one that reads the same, and as NATS can carry it.
///
/// # Panics
/// If it is not.
pub fn header(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(read) = Header::decode(text) else { return };
    let _ = (read.version(), read.time_left_or_default());
    let target = EntityId::new("t").expect("one letter is an id");
    read_error(read_hop(read.hop, &target), read.code, data, read.not_run);
    let written = read.encode();
    assert_eq!(Header::decode(&written), Ok(read));
}

/// A caller and a callee, to each of which anything is said, in any order and at any time. The bodies are honest: what stands
/// in the messages about them is not. So what a reader takes has to be the stream from its first byte on, and no more of it than
/// was granted.
///
/// # Panics
/// If it is not, or a call that has ended goes on.
pub fn call(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new(&mut input);
    while let Some(step) = input.byte() {
        world.step(step, &mut input);
        world.check();
    }
}

/// One call, as both sides see it.
struct World {
    now: Instant,
    target: EntityId,
    budget: Budget,
    caller: Caller,
    callee: Callee,
    taken_by_caller: u64,
    taken_by_callee: u64,
}

impl World {
    fn new(input: &mut Input<'_>) -> Self {
        let (now, budget) = (Instant::now(), Budget::default());
        let deadline = now + Duration::from_millis(input.number() % 60_000);
        let mut caller = Caller::new(now, deadline, budget.open());
        caller.called(now, input.number() % BODY_MAX, input.byte() == Some(0));
        let first = input.number() % BODY_MAX;
        let mut request = Incoming::new(first, budget.open());
        let accepted = request.accept(0, stream(0, first), false);
        assert!(accepted.is_ok(), "as much was granted as came");
        let callee = Callee::new(now, deadline, request, input.number());
        let target = EntityId::new("t").expect("one letter is an id");
        Self { now, target, budget, caller, callee, taken_by_caller: 0, taken_by_callee: 0 }
    }

    fn step(&mut self, step: u8, input: &mut Input<'_>) {
        let (now, for_caller) = (self.now, step & 0x80 != 0);
        match step % 8 {
            0..=2 => self.message(for_caller, input),
            3 => self.now += Duration::from_millis(input.number() % 5000),
            4 => {
                let deaf = input.byte() == Some(0);
                let _ = (self.caller.tick(now, deaf), self.callee.tick(now, deaf));
            }
            5 => self.take(for_caller, input.byte() == Some(0)),
            6 => self.write(for_caller, input),
            _ => self.turn(for_caller, input.byte().unwrap_or(0)),
        }
    }

    fn message(&mut self, for_caller: bool, input: &mut Input<'_>) {
        let kind =
            [Kind::Call, Kind::Reply, Kind::More, Kind::Credit, Kind::Alive, Kind::Cancel, Kind::Error];
        let kind = kind[usize::from(input.byte().unwrap_or(0)) % kind.len()];
        let flags = input.byte().unwrap_or(0);
        let header = Header {
            offset: input.number(),
            fin: flags & 1 != 0,
            credit: (flags & 2 != 0).then(|| input.number()),
            code: (flags & 4 != 0).then_some("overloaded"),
            not_run: flags & 8 != 0,
            ..Header::new(kind, InvocationId::from_bits(7))
        };
        let text = header.encode();
        let header = Header::decode(&text).expect("what is written reads");
        let body = stream(header.offset, input.number() % BODY_MAX);
        match for_caller {
            true => {
                let named = flags & 16 != 0;
                let ended = self.caller.exchange.end().is_some();
                let note = self.caller.message(self.now, &header, body, named, &self.target);
                assert!(!ended || note.is_none(), "a call that has ended says nothing more");
            }
            false => {
                let ended = self.callee.exchange.end().is_some();
                let note = self.callee.message(self.now, &header, body);
                assert!(!ended || note.is_none(), "a call that has ended says nothing more");
            }
        }
    }

    /// A reader takes what is there, and grants more.
    fn take(&mut self, for_caller: bool, abandons: bool) {
        let (exchange, taken) = match for_caller {
            true => (&mut self.caller.exchange, &mut self.taken_by_caller),
            false => (&mut self.callee.exchange, &mut self.taken_by_callee),
        };
        while let Some(body) = exchange.incoming.take() {
            assert_eq!(body, stream(*taken, body.len() as u64), "the stream, byte for byte");
            *taken += body.len() as u64;
        }
        let more = self.budget.widen(exchange.incoming.window());
        exchange.incoming.widen(more);
        if abandons {
            exchange.incoming.abandon();
        }
        let _ = match for_caller {
            true => self.caller.credit(self.now, true),
            false => self.callee.credit(self.now, true),
        };
    }

    /// A piece leaves, as far as there is credit.
    fn write(&mut self, for_caller: bool, input: &mut Input<'_>) {
        let exchange = if for_caller { &self.caller.exchange } else { &self.callee.exchange };
        let (bytes, fin) = (input.number().min(exchange.outgoing.room()), input.byte() == Some(0));
        if exchange.end().is_none() && !exchange.outgoing.ended() {
            match for_caller {
                true => self.caller.wrote(self.now, bytes, fin),
                false => self.callee.wrote(self.now, bytes, fin),
            }
        }
    }

    /// What else may happen.
    fn turn(&mut self, for_caller: bool, what: u8) {
        let hop = Hop::Provider(ProviderId::new("p").expect("one letter is an id"));
        let _ = match (what % 4, for_caller) {
            (0, true) => self.caller.fail(Failure::Cancelled),
            (0, false) => self.callee.fail(Failure::Broke),
            (1, true) => {
                self.caller.no_responders();
                None
            }
            (1, false) => {
                if self.callee.hand_on() {
                    self.callee.handed_on(what & 0x10 != 0);
                }
                None
            }
            (_, _) => {
                for exchange in [&self.caller.exchange, &self.callee.exchange] {
                    if let Some(Err(failure)) = exchange.end() {
                        let _ = failure.clone().into_error(&hop, &self.target).to_string();
                    }
                }
                None
            }
        };
    }

    fn check(&self) {
        let within = |exchange: &Exchange, taken: u64| {
            assert!(taken <= exchange.incoming.granted(), "no more than was granted");
            assert!(exchange.incoming.window() <= WINDOW, "no window is wider than all are");
        };
        within(&self.caller.exchange, self.taken_by_caller);
        within(&self.callee.exchange, self.taken_by_callee);
    }
}

/// A part of the one stream that is ever sent.
fn stream(offset: u64, bytes: u64) -> Bytes {
    (0..bytes).map(|at| (offset.wrapping_add(at) % 251) as u8).collect()
}
