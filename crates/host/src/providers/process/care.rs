//! What is done for a process while it runs: asked how it is, given its configuration, and new credentials at half of their time.
//! Level-triggered: each look compares what is with what should be. Links it is told of meanwhile (`telling`), so that none that is
//! not answered holds up any of this.

use std::{collections::BTreeMap, time::Duration};

use data_encoding::BASE64;
use lattice_core::{EventName, State};
use lattice_provider_sdk::wire::{HealthAnswer, PROTOCOL};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tracing::{debug, info, warn};

use super::{
    child::Lifeline,
    instance::{Instance, RenewError},
    life::Life,
    refusals::Heard,
};

/// Between two questions before the process is ready, and after.
const LOOK_SOON: Duration = Duration::from_millis(50);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a process may take until it takes calls, while this host is connected.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// So many questions in a row without an answer, and it is not well.
const MISSED_MAX: u32 = 3;
/// How often it is told that nothing has changed, as wasmCloud 1.x does.
const STATUS_EVERY: Duration = Duration::from_secs(30);
/// After so long a renewal that failed is tried again: often enough before a token of a few seconds is over.
const RENEW_AGAIN: Duration = Duration::from_millis(500);

/// What is known of one process.
pub(super) struct Known {
    started: Instant,
    /// Since when it has taken calls.
    pub(super) ready: Option<Instant>,
    missed: u32,
    healthy: Option<bool>,
    refusals: Heard,
    told: Instant,
}

impl Known {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { started: now, ready: None, missed: 0, healthy: None, refusals: Heard::default(), told: now }
    }
}

impl Life {
    /// Cares for a process until it turns out that it is none of ours; then says why.
    pub(super) async fn care(
        &self,
        instance: &mut Instance,
        known: &mut Known,
        lifeline: &mut Lifeline,
        mut config: watch::Receiver<BTreeMap<String, String>>,
    ) -> String {
        let mut next = Instant::now();
        loop {
            let renew_at = instance.renew_at(&self.parts.access);
            tokio::select! {
                () = sleep_until(next) => {
                    if let Err(why) = self.look(instance, known).await {
                        return why;
                    }
                    next = Instant::now() + if known.ready.is_some() { LOOK_EVERY } else { LOOK_SOON };
                }
                () = at(renew_at) => self.renew(instance, lifeline).await,
                Ok(()) = config.changed() => {
                    let values = config.borrow_and_update().clone();
                    if let Err(error) = self.talk.update_config(&values).await {
                        warn!(provider = %self.id(), %error, "its new configuration did not arrive; it has it when it is started again");
                    }
                }
            }
        }
    }

    /// Asks once, and acts on the answer. The error is why the process is of no use.
    async fn look(&self, instance: &Instance, known: &mut Known) -> Result<(), String> {
        match self.talk.health().await {
            // Of one that ran before, or of a host that lives under our id.
            Ok(answer) if answer.protocol.is_some() && answer.instance_id != instance.id => {
                debug!(provider = %self.id(), "another process answers under this id");
                self.unheard(known)
            }
            Ok(answer) if answer.protocol != Some(PROTOCOL) => Err(format!(
                "speaks {} where protocol {PROTOCOL} is wanted; build it anew with the provider SDK of this version",
                answer
                    .protocol
                    .map_or("wRPC of wasmCloud 1.x".to_owned(), |theirs| format!("protocol {theirs}"))
            )),
            Ok(answer) => {
                known.missed = 0;
                self.heard(&answer, known);
                Ok(())
            }
            // Without a connection nothing is known, and nothing follows.
            Err(silence) if silence.is_ours() => {
                known.started = Instant::now();
                Ok(())
            }
            Err(silence) => {
                debug!(provider = %self.id(), %silence, "it does not say how it is");
                self.unheard(known)
            }
        }
    }

    fn heard(&self, answer: &HealthAnswer, known: &mut Known) {
        let own = answer.state.state().unwrap_or(State::Starting);
        if known.ready.is_none() {
            if own == State::Starting {
                return;
            }
            known.ready = Some(Instant::now());
            self.serves(answer.serves.iter().filter_map(|served| {
                let known = served.known();
                if known.is_none() {
                    warn!(provider = %self.id(), ?served, "it serves what this host cannot carry calls for");
                }
                known
            }));
            self.is_ready();
        }
        self.report_links(answer);
        known.refusals.news(&answer.refusals).into_iter().for_each(|refused| self.report.refused(refused));
        let lived = known.ready.map_or(Duration::ZERO, |ready| ready.elapsed());
        self.report.provider(self.judged(self.comebacks().state(lived, own)));
        self.tell_health(known, answer.healthy);
        self.compare(answer);
    }

    /// One that does its work is not well where it would not be started again, as an actor is not.
    fn judged(&self, state: State) -> State {
        let issuer = &self.binary.claims.issuer;
        match state {
            State::Ready => self.parts.binaries.trust.objection(issuer).map_or(State::Ready, State::Degraded),
            other => other,
        }
    }

    fn unheard(&self, known: &mut Known) -> Result<(), String> {
        if known.ready.is_none() {
            return match known.started.elapsed() < READY_WITHIN {
                true => Ok(()),
                false => Err(format!("did not answer within {} s of its start", READY_WITHIN.as_secs())),
            };
        }
        known.missed = known.missed.saturating_add(1);
        if known.missed >= MISSED_MAX {
            // The same words each time: a reason that changes is a new state, told and kept each second.
            let reason = format!(
                "it runs, and does not answer: {MISSED_MAX} questions in a row or more; stop it and start it again if it stays so"
            );
            self.report.provider(State::Degraded(reason));
            self.tell_health(known, false);
        }
        Ok(())
    }

    fn tell_health(&self, known: &mut Known, healthy: bool) {
        let name = match (known.healthy.replace(healthy), healthy) {
            (Some(false) | None, true) => EventName::HealthCheckPassed,
            (Some(true) | None, false) => EventName::HealthCheckFailed,
            _ if known.told.elapsed() >= STATUS_EVERY => EventName::HealthCheckStatus,
            _ => return,
        };
        known.told = Instant::now();
        self.publish_health(name);
    }

    /// Signs new credentials and hands them over: sealed, over NATS; or where that does not work, over its standard input, so that a
    /// NATS server that was away for longer than a token lasts lets it in again.
    async fn renew(&self, instance: &mut Instance, lifeline: &mut Lifeline) {
        let signed = Instant::now();
        let made = self.login().map_err(RenewError::from).and_then(|login| match login {
            Some(login) => instance.renewed(&login).map(Some),
            None => Ok(None),
        });
        let (number, sealed) = match made {
            Ok(Some(made)) => made,
            // The server asks nobody any more.
            Ok(None) => return instance.has_renewed(signed),
            Err(error) => {
                warn!(provider = %self.id(), %error, "its credentials are not renewed; it is tried again");
                return instance.put_off(&self.parts.access, RENEW_AGAIN);
            }
        };
        match self.talk.renew(sealed.clone()).await {
            Ok(has) if has >= number => info!(provider = %self.id(), number, "its credentials are renewed"),
            outcome => {
                debug!(provider = %self.id(), ?outcome, "its credentials are renewed over its standard input");
                let line = format!("{}\r\n", BASE64.encode(&sealed));
                if let Err(error) = lifeline.write(&line).await {
                    warn!(provider = %self.id(), %error, "its credentials are not renewed; it is tried again");
                    return instance.put_off(&self.parts.access, RENEW_AGAIN);
                }
            }
        }
        instance.has_renewed(signed);
    }
}

/// Waits until then; for ever, if never.
async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}
