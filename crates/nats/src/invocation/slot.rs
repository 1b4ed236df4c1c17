//! One call in the table of its connection: its state machine, and who waits for it. No lock is held over a wait.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use async_nats::Subject;
use bytes::Bytes;
use lattice_core::{EntityId, InvocationId};
use tokio::time::Instant;

use super::{
    callee::Callee, caller::Caller, exchange::Exchange, exchange::Note, failure::Failure, header::Header,
};

/// Either side.
#[derive(Debug)]
pub(crate) enum Machine {
    Caller(Caller),
    Callee(Callee),
}

impl Machine {
    fn exchange(&mut self) -> &mut Exchange {
        match self {
            Machine::Caller(caller) => &mut caller.exchange,
            Machine::Callee(callee) => &mut callee.exchange,
        }
    }

    fn fail(&mut self, failure: Failure) -> Option<Note> {
        match self {
            Machine::Caller(caller) => caller.fail(failure),
            Machine::Callee(callee) => callee.fail(failure),
        }
    }

    fn credit(&mut self, now: Instant, reader_waits: bool) -> Option<Note> {
        match self {
            Machine::Caller(caller) => caller.credit(now, reader_waits),
            Machine::Callee(callee) => callee.credit(now, reader_waits),
        }
    }
}

/// What a reader gets.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The next bytes.
    Bytes(Bytes),
    /// All was taken.
    End,
    /// The call failed.
    Failed(Failure),
}

/// What never changes of a call.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) id: InvocationId,
    /// Who is called.
    pub(crate) target: EntityId,
    /// Who alone may write to this side: the target, or for a callee the source.
    pub(crate) writer: EntityId,
    /// What this side publishes to at first, to find the call when the broker refuses it.
    pub(crate) asked: Subject,
    /// A callee's token, by which it names its subject with what it sends.
    pub(crate) names: Option<u64>,
    /// Made to one host, which hears of a cancelled call where it was asked, before it has named a subject of its own.
    pub(crate) host: bool,
}

/// A call in the table.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) about: About,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    machine: Machine,
    /// Where further messages to the other side go.
    peer: Option<Subject>,
    reader: Option<Waker>,
    owner: Option<Waker>,
}

impl State {
    /// Whoever waits for what this event changed.
    fn woken(&mut self) -> [Option<Waker>; 2] {
        let exchange = self.machine.exchange();
        let ended = exchange.end().is_some();
        let reader = ended || exchange.incoming.is_ready() || exchange.incoming.ended();
        let owner = ended || exchange.outgoing.room() > 0;
        let begun =
            matches!(&self.machine, Machine::Caller(caller) if caller.has_begun() || caller.is_unheard());
        [
            if reader || begun { self.reader.take() } else { None },
            if owner { self.owner.take() } else { None },
        ]
    }
}

impl Slot {
    /// `peer`: where further messages to the other side go, where that is known.
    pub(crate) fn new(about: About, machine: Machine, peer: Option<Subject>) -> Self {
        Self { about, state: Mutex::new(State { machine, peer, reader: None, owner: None }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way, so a poisoned state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, wakes whom it concerns, and gives back what is to be sent, and where.
    fn change(&self, change: impl FnOnce(&mut State) -> Option<Note>) -> Option<(Subject, Note)> {
        let (note, woken) = {
            let mut state = self.lock();
            let note = change(&mut state);
            (self.address(&state, note), state.woken())
        };
        woken.into_iter().flatten().for_each(Waker::wake);
        note
    }

    /// Where a note goes, if that is known.
    fn address(&self, state: &State, note: Option<Note>) -> Option<(Subject, Note)> {
        let note = note?;
        let at_host = || (self.about.host && note == Note::Cancel).then(|| self.about.asked.clone());
        Some((state.peer.clone().or_else(at_host)?, note))
    }

    /// Something came for this side.
    pub(crate) fn message(
        &self,
        now: Instant,
        header: &Header<'_>,
        body: Bytes,
        reply: Option<Subject>,
    ) -> Option<(Subject, Note)> {
        self.change(|state| match &mut state.machine {
            Machine::Caller(caller) => {
                let named = reply.is_some();
                if state.peer.is_none() {
                    state.peer = reply;
                }
                caller.message(now, header, body, named, &self.about.target)
            }
            Machine::Callee(callee) => callee.message(now, header, body),
        })
    }

    /// The broker says that nobody listens where the call went.
    pub(crate) fn no_responders(&self) {
        self.change(|state| {
            if let Machine::Caller(caller) = &mut state.machine {
                caller.no_responders();
            }
            None
        });
    }

    /// Time passes.
    pub(crate) fn tick(&self, now: Instant, deaf: bool) -> Option<(Subject, Note)> {
        self.change(|state| match &mut state.machine {
            Machine::Caller(caller) => caller.tick(now, deaf),
            Machine::Callee(callee) => callee.tick(now, deaf),
        })
    }

    /// Ends the call from this side, unless it has ended.
    pub(crate) fn fail(&self, failure: Failure) -> Option<(Subject, Note)> {
        self.change(|state| state.machine.fail(failure))
    }

    /// Ends the call if the broker refuses what this side publishes.
    pub(crate) fn denied(&self, subject: &str) {
        self.change(|state| {
            let peer = state.peer.as_ref().is_some_and(|peer| peer.as_str() == subject);
            let asked = self.about.asked.as_str() == subject;
            if asked || peer {
                let request = asked && matches!(state.machine, Machine::Caller(_));
                state.machine.fail(Failure::Denied { subject: subject.to_owned(), request });
            }
            None
        });
    }

    /// The first piece of the request leaves.
    pub(crate) fn called(&self, now: Instant, bytes: usize, fin: bool) {
        if let Machine::Caller(caller) = &mut self.lock().machine {
            caller.called(now, bytes as u64, fin);
        }
    }

    /// A piece leaves: where it goes. None when the call has ended.
    pub(crate) fn wrote(&self, now: Instant, bytes: usize, fin: bool) -> Option<Subject> {
        let mut state = self.lock();
        if state.machine.exchange().end().is_some() {
            return None;
        }
        let to = state.peer.clone()?;
        match &mut state.machine {
            Machine::Caller(caller) => caller.wrote(now, bytes as u64, fin),
            Machine::Callee(callee) => callee.wrote(now, bytes as u64, fin),
        }
        Some(to)
    }

    /// All of a stream leaves at once: where it goes. None when the call has ended, or there is no credit for so much.
    pub(crate) fn wrote_whole(&self, now: Instant, bytes: usize) -> Option<Subject> {
        let mut state = self.lock();
        let exchange = state.machine.exchange();
        if exchange.end().is_some() || exchange.outgoing.sent() > 0 || exchange.outgoing.room() < bytes as u64
        {
            return None;
        }
        let to = state.peer.clone()?;
        match &mut state.machine {
            Machine::Caller(caller) => caller.wrote(now, bytes as u64, true),
            Machine::Callee(callee) => callee.wrote(now, bytes as u64, true),
        }
        Some(to)
    }

    /// The callee is about to pass the call to somebody else; false if it is too late for that.
    pub(crate) fn hand_on(&self) -> bool {
        match &mut self.lock().machine {
            Machine::Callee(callee) => callee.hand_on(),
            Machine::Caller(_) => false,
        }
    }

    /// It has done so, or could not.
    pub(crate) fn handed_on(&self, done: bool) {
        self.change(|state| {
            if let Machine::Callee(callee) = &mut state.machine {
                callee.handed_on(done);
            }
            None
        });
    }

    /// True where the other side lets nothing pass now.
    pub(crate) fn has_no_room(&self) -> bool {
        self.lock().machine.exchange().outgoing.room() == 0
    }

    /// How many bytes of its stream this side has sent.
    pub(crate) fn sent(&self) -> u64 {
        self.lock().machine.exchange().outgoing.sent()
    }

    /// True when the call has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().machine.exchange().end().is_some()
    }

    /// True when the call has ended as it should: nothing more comes from the other side.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.lock().machine.exchange().end(), Some(Ok(())))
    }

    /// Waits until the call has ended. For the one task that owns this side.
    pub(crate) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.machine.exchange().end().is_some() {
            return Poll::Ready(());
        }
        keep(&mut state.owner, cx);
        Poll::Pending
    }

    /// How many bytes may be sent now; none when the call has ended. For the one task that owns this side, which is
    /// woken when that changes.
    pub(crate) fn room(&self, cx: &mut Context<'_>) -> Option<u64> {
        let mut state = self.lock();
        if state.machine.exchange().end().is_some() {
            return None;
        }
        keep(&mut state.owner, cx);
        Some(state.machine.exchange().outgoing.room())
    }

    /// Waits for the reply's beginning, a failure, or the word that nobody listens, which is `Ok(false)`.
    pub(crate) fn poll_begun(&self, cx: &mut Context<'_>) -> Poll<Result<bool, Failure>> {
        let mut state = self.lock();
        if let Machine::Caller(caller) = &state.machine {
            if caller.has_begun() {
                return Poll::Ready(Ok(true));
            }
            if caller.is_unheard() {
                return Poll::Ready(Ok(false));
            }
        }
        match state.machine.exchange().end() {
            Some(Err(failure)) => Poll::Ready(Err(failure.clone())),
            Some(Ok(())) => Poll::Ready(Ok(true)),
            None => {
                keep(&mut state.reader, cx);
                Poll::Pending
            }
        }
    }

    /// Takes the next bytes, with the credit that is due for it. For the one reader.
    pub(crate) fn poll_take(
        &self,
        cx: &mut Context<'_>,
        now: Instant,
        widen: impl FnOnce(u64) -> u64,
    ) -> (Poll<Taken>, Option<(Subject, Note)>) {
        let mut state = self.lock();
        let taken = state.machine.exchange().incoming.take();
        let waits = taken.is_none();
        let exchange = state.machine.exchange();
        if !exchange.incoming.ended() && exchange.end().is_none() {
            let more = widen(exchange.incoming.window());
            exchange.incoming.widen(more);
        }
        let note = state.machine.credit(now, waits);
        let note = self.address(&state, note);
        let poll = match (taken, state.machine.exchange()) {
            (Some(body), _) => Poll::Ready(Taken::Bytes(body)),
            (None, exchange) if exchange.incoming.is_done() => Poll::Ready(Taken::End),
            (None, exchange) => match exchange.end() {
                Some(Err(failure)) => Poll::Ready(Taken::Failed(failure.clone())),
                // The reply is done without the rest of the request.
                Some(Ok(())) => Poll::Ready(Taken::Failed(Failure::Cancelled)),
                None => {
                    keep(&mut state.reader, cx);
                    Poll::Pending
                }
            },
        };
        (poll, note)
    }

    /// Takes a reply that came whole, if it is there and nothing else of it was.
    pub(crate) fn take_whole(&self) -> Option<Bytes> {
        let mut state = self.lock();
        let exchange = state.machine.exchange();
        if !exchange.incoming.ended() || !matches!(exchange.end(), Some(Ok(()))) {
            return None;
        }
        match exchange.incoming.take() {
            None => Some(Bytes::new()),
            Some(body) if exchange.incoming.is_done() => Some(body),
            Some(body) => {
                exchange.incoming.put_back(body);
                None
            }
        }
    }

    /// The present window of what this side receives.
    pub(crate) fn window(&self) -> u64 {
        self.lock().machine.exchange().incoming.window()
    }

    /// Nobody reads what comes any more.
    pub(crate) fn abandon(&self) {
        self.lock().machine.exchange().incoming.abandon();
    }
}

fn keep(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}
