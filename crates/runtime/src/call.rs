//! One call of a guest, from permit to end.
//!
//! Until the head is there, the guest runs inside its caller's future: who drops that ends the guest. A guest that is
//! still running then goes on in a task of the actor's, until it ends, fails, runs out of time, or nobody reads on.

use std::{pin::Pin, sync::Arc};

use http::Method;
use lattice_contracts::{CallContext, http::Response};
use lattice_core::ErrorCode;
use tokio::{sync::oneshot, time::Instant};
use tokio_util::task::task_tracker::TaskTrackerToken;
use wasmtime::Store;
use wasmtime_wasi_http::{WasiBody, p2::body::HyperOutgoingBody};

use crate::{
    actor::Inner,
    body::{self, GuestSide},
    failure::Failure,
    guest::{Guest, Watch},
    handler::Head,
    meter::{Metered, Panicked},
    permits::Permit,
    pool::Live,
    stats::Outcome,
};

/// A guest's future, as it goes from its caller to a task.
type Work = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// What a guest's future comes to.
struct Ended {
    /// The instance, if its call ended well and it may be used again.
    live: Option<Live>,
    /// The failure otherwise.
    failure: Option<Failure>,
    /// The store of a failed call, still there since the body must learn of the failure before the store ends it.
    _doomed: Option<Store<Guest>>,
}

/// A call's place in the actor: permit, count, and what is said at its end, whatever the end.
pub(crate) struct Seat {
    actor: Arc<Inner>,
    watch: Arc<Watch>,
    pub(crate) outcome: Outcome,
    // Dropped last, in this order: who takes the permit over finds the call counted.
    _permit: Permit,
    _token: TaskTrackerToken,
}

impl Seat {
    /// Counts the call in. Until it is known better, whoever drops the seat has broken the call off.
    pub(crate) fn take(
        actor: Arc<Inner>,
        permit: Permit,
        token: TaskTrackerToken,
        watch: Arc<Watch>,
    ) -> Self {
        actor.counters.entered();
        Self { actor, watch, outcome: Outcome::Cancelled, _permit: permit, _token: token }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.watch.output.finish();
        self.actor.counters.count(self.outcome);
        self.actor.counters.left();
    }
}

/// A guest at work.
pub(crate) struct Running {
    guest: Metered<Work>,
    seat: Seat,
    call: Arc<CallContext>,
    deadline: Instant,
}

impl Running {
    /// Sets a guest up to serve `request`, in an idle instance or a fresh one.
    pub(crate) fn new(
        actor: Arc<Inner>,
        permit: Permit,
        token: TaskTrackerToken,
        call: CallContext,
        request: http::Request<WasiBody>,
        head: oneshot::Sender<Head>,
    ) -> Self {
        let deadline = call.deadline.min(Instant::now() + actor.kit.limits.wall);
        let call = Arc::new(call);
        let (watch, guest) = actor.guest(&call, request, head);
        let guest = Metered::new(watch.clone(), guest);
        let seat = Seat::take(actor, permit, token, watch);
        Self { guest, seat, call, deadline }
    }

    /// Runs the guest until it has answered.
    pub(crate) async fn answer(
        mut self,
        method: &Method,
        mut head: oneshot::Receiver<Head>,
    ) -> Result<Response, Failure> {
        let actor = self.seat.actor.clone();
        let step = tokio::select! {
            biased;
            ended = &mut self.guest => Step::Ended(ended),
            head = &mut head => Step::Head(head.ok()),
            () = tokio::time::sleep_until(self.deadline) => Step::Late,
            () = actor.kill.cancelled() => Step::Killed,
        };
        match step {
            Step::Ended(ended) => {
                let mut ended = ended.unwrap_or_else(|Panicked| actor.panicked(&self.call));
                let answer = match ended.failure.take() {
                    Some(failure) => Err(failure),
                    None => actor.response(head.try_recv().ok()),
                };
                self.seat.outcome = answer.as_ref().map_or_else(|failure| failure.outcome, |_| Outcome::Ok);
                // The instance goes before the permit does, so that who takes the permit over finds room.
                self.seat.actor.leave(ended);
                drop(self);
                Ok(answer?.map(|inner| body::finished(actor.id(), actor.engine.kind, inner)))
            }
            Step::Head(answer) => {
                let (parts, inner) = match actor.response(answer) {
                    Ok(response) => response.into_parts(),
                    Err(failure) => {
                        self.seat.outcome = failure.outcome;
                        return Err(failure);
                    }
                };
                let (body, side) = body::streamed(
                    actor.id(),
                    actor.engine.kind,
                    method,
                    parts.status,
                    &parts.headers,
                    inner,
                );
                actor.tasks.spawn(self.stream(side));
                Ok(http::Response::from_parts(parts, body))
            }
            Step::Late => {
                let late = actor.late(self.deadline, &self.call);
                self.seat.outcome = late.outcome;
                Err(late)
            }
            Step::Killed => Err(actor.stopped()),
        }
    }

    /// Runs the rest of a guest whose head is out.
    async fn stream(mut self, side: GuestSide) {
        let actor = self.seat.actor.clone();
        // Declared after the guest, so dropped before it: even a panic tells the body before the store ends it.
        let GuestSide { end, mut client } = side;
        let mut watching = true;
        let late = tokio::time::sleep_until(self.deadline);
        tokio::pin!(late);
        let failed = loop {
            tokio::select! {
                biased;
                said = &mut client, if watching => match said {
                    Ok(body::Satisfied) => watching = false,
                    Err(_gone) => break actor.abandoned(),
                },
                ended = &mut self.guest => {
                    let mut ended = ended.unwrap_or_else(|Panicked| actor.panicked(&self.call));
                    let failure = ended.failure.take();
                    self.seat.outcome = failure.as_ref().map_or(Outcome::Ok, |failure| failure.outcome);
                    // Told first: the body of a dropped store looks complete. Nobody may be reading any more.
                    let _ = end.send(failure.map_or(Ok(()), |failure| Err(failure.error)));
                    actor.leave(ended);
                    return;
                }
                () = &mut late => break actor.late(self.deadline, &self.call),
                () = actor.kill.cancelled() => break actor.stopped(),
            }
        };
        self.seat.outcome = failed.outcome;
        let _ = end.send(Err(failed.error));
    }
}

enum Step {
    Ended(Result<Ended, Panicked>),
    Head(Option<Head>),
    Late,
    Killed,
}

impl Inner {
    /// The future of a guest that serves `request`; nothing of it has run yet.
    fn guest(
        self: &Arc<Self>,
        call: &Arc<CallContext>,
        request: http::Request<WasiBody>,
        head: oneshot::Sender<Head>,
    ) -> (Arc<Watch>, Work) {
        let mut live = self.lend(call);
        let (actor, call, watch) = (self.clone(), call.clone(), live.watch.clone());
        let guest = async move {
            match actor.serve(&mut live, &call, request, head).await {
                Ok(()) => Ended { live: Some(live), failure: None, _doomed: None },
                Err(error) => {
                    let failure = actor.failure(&live, &call, &error);
                    Ended { live: None, failure: Some(failure), _doomed: Some(live.store) }
                }
            }
        };
        (watch, Box::pin(guest))
    }

    async fn serve(
        &self,
        live: &mut Live,
        call: &Arc<CallContext>,
        request: http::Request<WasiBody>,
        head: oneshot::Sender<Head>,
    ) -> wasmtime::Result<()> {
        let instance = self.settle(live, call).await?;
        let http = match live.http.take() {
            Some(http) => http,
            None => self.handler()?.of(&mut live.store, &instance)?,
        };
        http.serve(&mut live.store, request, head).await?;
        live.http = Some(http);
        Ok(())
    }

    /// Keeps the instance of a call that ended well, if it may serve again; drops it otherwise.
    fn leave(&self, ended: Ended) {
        if let Some(live) = ended.live {
            self.give_back(live);
        }
    }

    /// What the guest answered.
    fn response(&self, head: Option<Head>) -> Result<http::Response<HyperOutgoingBody>, Failure> {
        let reason = match head {
            Some(Ok(response)) => return Ok(response),
            Some(Err(code)) => format!("it answered with the error {code}"),
            None => "it ended without a response".to_owned(),
        };
        Err(Failure::new(self.id(), Outcome::Failed, ErrorCode::Protocol, reason))
    }

    pub(crate) fn late(&self, deadline: Instant, call: &CallContext) -> Failure {
        let reason = if deadline < call.deadline {
            format!("invocation {} took more than {:?} and was stopped", call.id, self.kit.limits.wall)
        } else {
            format!("invocation {} was not done when its caller's time ran out", call.id)
        };
        Failure::new(self.id(), Outcome::Deadline, ErrorCode::Deadline, reason)
    }

    fn panicked(&self, call: &CallContext) -> Ended {
        Ended { live: None, failure: Some(self.defect(call)), _doomed: None }
    }

    /// A panic of the host's own code.
    pub(crate) fn defect(&self, call: &CallContext) -> Failure {
        tracing::error!(actor = %self.id(), invocation = %call.id, "the host panicked while it served a guest");
        let reason = format!("invocation {} met a defect of the host, whose log has the cause", call.id);
        Failure::new(self.id(), Outcome::Failed, ErrorCode::Trap, reason)
    }

    fn abandoned(&self) -> Failure {
        Failure::new(
            self.id(),
            Outcome::Cancelled,
            ErrorCode::Cancelled,
            "nobody reads the response any more",
        )
    }

    pub(crate) fn stopped(&self) -> Failure {
        Failure::new(self.id(), Outcome::Cancelled, ErrorCode::Cancelled, "the actor was stopped")
    }
}
