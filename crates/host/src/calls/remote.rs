//! Calls to other hosts: the choice, and asking one host after the other until one takes the call.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use lattice_contracts::CallContext;
use lattice_core::{CallError, CallTo, Contract, Distance, EntityId, ErrorCode, Hop, HostId, LinkKey};
use lattice_nats::{
    Called, Calls, Connection,
    remote::{Caller, Function, Offer, Taken, http::incoming},
};
use tokio::time::Instant;

use super::{
    asking::Asking,
    choose::{Choice, Here, Refusal, Why},
};
use crate::{
    about::About,
    actors::Actors,
    directory::{Candidate, Directory},
    lattice::Lattice,
    presence::load_of,
};

const ABSENT_PAUSE: Duration = Duration::from_millis(25);

/// A link as whoever calls over it sees it.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) key: LinkKey,
    pub(crate) distance: Distance,
}

/// Makes calls to other hosts; cheap to clone.
#[derive(Clone)]
pub(crate) struct Remote(Arc<Shared>);

struct Shared {
    connection: Connection,
    /// None until the lattice is in reach for the first time.
    calls: OnceLock<Calls>,
    about: Arc<About>,
    actors: Actors,
    directory: Directory,
    lattice: Lattice,
    random: AtomicU64,
}

/// What calls to other hosts stand on.
pub(crate) struct RemoteParts {
    pub(crate) connection: Connection,
    pub(crate) about: Arc<About>,
    pub(crate) actors: Actors,
    pub(crate) directory: Directory,
    pub(crate) lattice: Lattice,
    /// Spreads the choices of several hosts.
    pub(crate) seed: u64,
}

impl Remote {
    pub(crate) fn new(parts: RemoteParts) -> Self {
        let RemoteParts { connection, about, actors, directory, lattice, seed } = parts;
        let (calls, random) = (OnceLock::new(), AtomicU64::new(seed));
        Self(Arc::new(Shared { connection, calls, about, actors, directory, lattice, random }))
    }

    /// From now on calls go out by `calls`; until then they fail as if nobody were there.
    pub(crate) fn connect(&self, calls: Calls) {
        // A host joins once.
        let _ = self.0.calls.set(calls);
    }

    /// Offers a call to the target on one host after the other, as the link's distance allows, until one takes it. `here` is
    /// asked at each step how the target in this process is; where that has refused already, `refused` is what it said.
    ///
    /// # Errors
    /// [`CallError`] of the hop that failed: of the last one that refused, where all did.
    pub(crate) async fn call(
        &self,
        way: &Way,
        call: &CallContext,
        function: Function<'_>,
        request: &Offer,
        here: impl Fn() -> Here + Send,
        refused: Option<CallError>,
    ) -> Result<Taken, CallError> {
        let shared = &*self.0;
        let mut asking = Asking::new(self.candidates(way, call), shared.about.site(), refused);
        loop {
            let choice = asking.choose(way, &shared.about.id, here(), self.random());
            if let Some(pause) = asking.pause_before(&choice) {
                tokio::time::sleep(pause.min(call.time_left())).await;
                continue;
            }
            let Some((to, patient)) = self.goal(choice, &mut asking, call, function)? else {
                return Ok(Taken::Here);
            };
            let wait = asking.wait(patient);
            let called = Called { at_once: !patient, wait, ..self.called(way, function, &to) };
            let calls = shared.calls.get().ok_or_else(|| self.apart(call))?;
            let asked_at = Instant::now();
            let error = match calls.call(call, to.clone(), called, request.outbound()).await {
                Ok(reply) => return Ok(Taken::Elsewhere(reply)),
                Err(error) => error,
            };
            let refusal = may_ask_others(&error).ok_or_else(|| error.clone())?;
            tracing::debug!(call = %call.id, ?to, %error, "a call is offered to another host");
            asking.refused = Some(error);
            if to == CallTo::Anyone && refusal == Refusal::Gone && self.comes_back(call, &asking) {
                tokio::time::sleep(ABSENT_PAUSE).await;
                continue;
            }
            asking.note(to, refusal, patient);
            // It has waited and was given back: others may be free by now, or new.
            if refusal == Refusal::Busy && wait.is_some_and(|wait| asked_at.elapsed() >= wait) {
                asking.begin_anew(self.candidates(way, call));
            }
        }
    }

    /// Where a call goes by that choice, and whether it may wait there; none for the target in this process.
    fn goal(
        &self,
        choice: Choice,
        asking: &mut Asking,
        call: &CallContext,
        function: Function<'_>,
    ) -> Result<Option<(CallTo, bool)>, CallError> {
        match choice {
            Choice::Local => Ok(None),
            Choice::Host { host, patient } => Ok(Some((CallTo::Host(host), patient))),
            Choice::Anyone => Ok(Some((CallTo::Anyone, true))),
            // Of a target that nobody has, the broker alone could only say that nobody answers.
            Choice::Nobody(Why::Nowhere) if asking.is_unasked() && self.0.connection.is_connected() => {
                Err(self.nowhere(call, function))
            }
            Choice::Nobody(why) => Err(asking.refused.take().unwrap_or_else(|| self.nobody(call, &why))),
        }
    }

    /// True while the target is a process that is only away for a moment: it logs in anew, or is being started again.
    fn comes_back(&self, call: &CallContext, asking: &Asking) -> bool {
        Instant::now() < asking.present_until
            && call.time_left() > ABSENT_PAUSE
            && self.0.directory.is_process_that_answers(&call.target)
    }

    fn called(&self, way: &Way, function: Function<'_>, to: &CallTo) -> Called {
        Called {
            interface: function.interface.to_owned(),
            function: function.function.to_owned(),
            link_version: self.0.lattice.link_version(&way.key),
            known: matches!(to, CallTo::Host(_)),
            ..Called::default()
        }
    }

    /// True if the target is a provider that is a process of its own.
    pub(crate) fn is_process(&self, target: &EntityId) -> bool {
        self.0.directory.is_process(target)
    }

    /// True if another living host runs the target.
    pub(crate) fn knows_others(&self, way: &Way) -> bool {
        self.0.directory.hosts_of(&way.key.target).iter().any(|one| one.alive)
    }

    /// The error of a call that the link keeps in this host, where the target does not run.
    pub(crate) fn too_far(&self, call: &CallContext) -> CallError {
        self.nobody(call, &Why::TooFar)
    }

    /// The hosts that run the target; this one too where it is one of many.
    fn candidates(&self, way: &Way, call: &CallContext) -> Arc<[Candidate]> {
        let shared = &*self.0;
        let others = shared.directory.hosts_of(&call.target);
        if way.distance != Distance::Lattice {
            return others;
        }
        let (host, site) = (shared.about.id.clone(), shared.about.site());
        // A provider is as busy as its host.
        let load = match shared.actors.running(call.target.as_str()) {
            Some(_) => shared.actors.load_of(call.target.as_str()),
            None => load_of(&shared.actors),
        };
        let me = Candidate { host, alive: true, load, site };
        others.iter().cloned().chain([me]).collect()
    }

    fn apart(&self, call: &CallContext) -> CallError {
        let reason = format!(
            "{} does not run on this host, which has not reached its lattice yet; it joins when NATS is there",
            call.target
        );
        CallError::new(Hop::Host(self.0.about.id.clone()), ErrorCode::Unreachable, reason).not_run()
    }

    fn nowhere(&self, call: &CallContext, function: Function<'_>) -> CallError {
        if self.0.directory.is_process(&call.target) {
            let target = &call.target;
            let reason = format!(
                "provider {target} is a process of its own, and does not answer; see how it is: wash get inventory"
            );
            return CallError::new(Hop::Host(self.0.about.id.clone()), ErrorCode::Unreachable, reason)
                .not_run();
        }
        let (target, package) = (&call.target, function.interface.split('/').next().unwrap_or_default());
        let of_provider = function.interface != incoming::INTERFACE
            && package.parse::<Contract>().is_ok_and(|contract| lattice_core::known(&contract).is_some());
        let kind = if of_provider { "provider" } else { "actor" };
        let reason = format!("{target} runs nowhere; start it: wash start {kind} IMAGE {target}");
        CallError::new(Hop::Host(self.0.about.id.clone()), ErrorCode::Unreachable, reason).not_run()
    }

    fn nobody(&self, call: &CallContext, why: &Why) -> CallError {
        let target = &call.target;
        let reason = match why {
            Why::TooFar => format!(
                "{target} does not run on this host, and the link from {} keeps calls here (distance local)",
                call.source
            ),
            Why::Lost(hosts) => {
                let names: Vec<&str> = hosts.iter().map(HostId::as_str).collect();
                format!("{target} runs only where nobody answers: host {}", names.join(", host "))
            }
            Why::Nowhere => format!("{target} runs nowhere; `wash get inventory` shows what runs where"),
        };
        CallError::new(Hop::Host(self.0.about.id.clone()), ErrorCode::Unreachable, reason).not_run()
    }

    /// Bits that differ from call to call; they spread load and keep nothing secret.
    pub(super) fn random(&self) -> u64 {
        let mut bits = self.0.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

/// What a refusal says of whoever refused; `None` where the call may have run, or others would say the same.
fn may_ask_others(error: &CallError) -> Option<Refusal> {
    match error.code {
        _ if !error.may_be_tried_elsewhere() => None,
        ErrorCode::Overloaded => Some(Refusal::Busy),
        _ => Some(Refusal::Gone),
    }
}

/// Makes the calls of one link to a provider, which may be in this process, too.
#[derive(Clone)]
pub(crate) struct LinkCaller {
    pub(crate) remote: Remote,
    pub(crate) way: Way,
    /// True if the provider is in this process, too.
    pub(crate) is_here: bool,
}

#[async_trait]
impl Caller for LinkCaller {
    fn prefers_here(&self) -> bool {
        self.is_here && self.way.distance != Distance::Lattice
    }

    async fn call(
        &self,
        call: &CallContext,
        function: Function<'_>,
        request: &Offer,
        refused_here: Option<CallError>,
    ) -> Result<Taken, CallError> {
        let here = if self.is_here && refused_here.is_none() { Here::Free } else { Here::No };
        self.remote.call(&self.way, call, function, request, || here, refused_here).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_run_and_may_differ_elsewhere_is_asked_again() {
        let error = |code| CallError::new(Hop::Actor("a".parse().unwrap()), code, "x");
        assert_eq!(may_ask_others(&error(ErrorCode::Overloaded).not_run()), Some(Refusal::Busy));
        assert_eq!(may_ask_others(&error(ErrorCode::Unreachable).not_run()), Some(Refusal::Gone));
        for code in ErrorCode::ALL {
            assert_eq!(may_ask_others(&error(code)), None, "{code} may have run");
        }
        assert_eq!(may_ask_others(&error(ErrorCode::NoLink).not_run()), None);
        assert_eq!(may_ask_others(&error(ErrorCode::Denied).not_run()), None);
    }
}
