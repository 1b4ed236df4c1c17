//! The processes of one provider, one after the other, until it shall stop.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lattice_contracts::{Report, Serves};
use lattice_control_interface::events::HealthCheck;
use lattice_core::{EventName, LinkKey, ProviderId, Secret, SecretName, State};
use lattice_provider_sdk::wire::{HealthAnswer, LinkAnswer, LinkDefinition};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    access::{AccessError, Login},
    binary::Binary,
    care::Known,
    child::{Child, Lifeline},
    comeback::{Comebacks, End, Next},
    instance::Instance,
    links::{Links, Order},
    provider::Shared,
    secrets::LinkSecrets,
    talk::Talk,
};

/// What the process may take beyond the deadline of calls in flight to say that it ends, and then to end.
const SAY_GRACE: Duration = Duration::from_millis(700);
const END_GRACE: Duration = Duration::from_millis(700);

/// One provider, whichever process it is.
pub(super) struct Life {
    pub(super) parts: Arc<Shared>,
    pub(super) talk: Talk,
    pub(super) binary: Binary,
    pub(super) report: Arc<dyn Report>,
    /// The configuration it was started with, in its newest version.
    pub(super) config: watch::Sender<BTreeMap<String, String>>,
    links: Mutex<Links>,
    /// There is something to tell of links.
    pub(super) to_tell: Notify,
    secrets: Mutex<LinkSecrets>,
    comebacks: Mutex<Comebacks>,
    serves: Mutex<Vec<Serves>>,
    /// How the first process fared: ready, or why not.
    pub(super) first: watch::Sender<Option<Result<(), String>>>,
    /// Until when calls in flight may go on, once it shall stop.
    pub(super) stop: watch::Sender<Option<Instant>>,
    /// True when no process is left and none will be.
    pub(super) over: watch::Sender<bool>,
    /// Cancelled when it shall end at once.
    pub(super) cancel: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How one process came to its end.
enum Over {
    /// As it should: somebody stopped it.
    Stopped,
    /// By itself.
    Ended(End),
    /// It is not to be started at all.
    Never(String),
}

/// Says that it is over, whatever happens to the task.
struct SaysOver<'a>(&'a Life);

impl Drop for SaysOver<'_> {
    fn drop(&mut self) {
        let why = "its task broke off; the host's log says why";
        self.0.first.send_if_modified(|first| first.get_or_insert_with(|| Err(why.to_owned())).is_err());
        self.0.over.send_replace(true);
    }
}

impl Life {
    pub(super) fn new(
        parts: Arc<Shared>,
        talk: Talk,
        binary: Binary,
        report: Arc<dyn Report>,
        config: BTreeMap<String, String>,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            parts,
            talk,
            binary,
            report,
            config: watch::Sender::new(config),
            links: Mutex::default(),
            to_tell: Notify::new(),
            secrets: Mutex::default(),
            comebacks: Mutex::default(),
            serves: Mutex::default(),
            first: watch::Sender::new(None),
            stop: watch::Sender::new(None),
            over: watch::Sender::new(false),
            cancel,
        }
    }

    pub(super) fn id(&self) -> &ProviderId {
        &self.talk.id
    }

    /// From now on a link gives these secrets.
    pub(super) fn give(&self, link: &LinkKey, secrets: BTreeMap<SecretName, Secret>) {
        lock(&self.secrets).put(link, secrets);
    }

    /// A link as the process that runs now is told it.
    pub(super) fn with_secrets(&self, link: &LinkDefinition) -> LinkDefinition {
        lock(&self.secrets).fill(self.id(), link.clone())
    }

    pub(super) fn comebacks(&self) -> Comebacks {
        lock(&self.comebacks).clone()
    }

    pub(super) fn served(&self) -> Vec<Serves> {
        lock(&self.serves).clone()
    }

    pub(super) fn serves(&self, serves: impl Iterator<Item = Serves>) {
        *lock(&self.serves) = serves.collect();
    }

    pub(super) fn is_ready(&self) {
        self.first.send_if_modified(|first| first.replace(Ok(())).is_none());
    }

    pub(super) fn login(&self) -> Result<Option<Login>, AccessError> {
        let now = self.parts.connection.wall_clock().unix_ms() / 1000;
        let is_open = self.parts.connection.is_open_to_anybody();
        self.parts.access.login(self.id(), now, is_open)
    }

    /// From now on the process shall have this link; it is told in its turn.
    pub(super) fn want(&self, key: &LinkKey, link: LinkDefinition) {
        lock(&self.links).want(key, link);
        self.to_tell.notify_one();
    }

    /// From now on it shall not have it; it is told in its turn.
    pub(super) fn unwant(&self, key: &LinkKey) {
        lock(&self.links).unwant(key);
        self.to_tell.notify_one();
    }

    /// Takes in which links the process says it has: what it lacks or has too much it is told in its turn.
    pub(super) fn compare(&self, answer: &HealthAnswer) {
        let strays = lock(&self.links).compare(&answer.links, answer.more_links);
        if let Some(strays) = strays {
            warn!(provider = %self.id(), strays, "its process names links that it was not given; it is told to forget them");
        }
        self.to_tell.notify_one();
    }

    pub(super) fn next_order(&self) -> Option<(LinkKey, Order)> {
        lock(&self.links).next_order()
    }

    pub(super) fn told(&self, key: &LinkKey) {
        lock(&self.links).done(key);
    }

    pub(super) fn report_links(&self, answer: &HealthAnswer) {
        answer.links.iter().for_each(|link| self.report_link(link));
    }

    pub(super) fn report_link(&self, answer: &LinkAnswer) {
        let heard = lock(&self.links).heard(answer);
        if let Some((key, state)) = heard {
            self.report.link(&key, state);
        }
    }

    /// Says of all links why the process does not serve them now.
    fn report_away(&self, why: &str) {
        let keys: Vec<LinkKey> = lock(&self.links).keys();
        for key in keys {
            self.report.link(&key, State::Pending(why.to_owned()));
        }
    }

    pub(super) fn publish_health(&self, name: EventName) {
        let data = HealthCheck { host_id: self.parts.about.id.clone(), provider_id: self.id().clone() };
        match serde_json::to_value(&data) {
            Ok(value) => self.parts.events.0.publish(name, value),
            Err(error) => warn!(%error, "event cannot be written"),
        }
    }

    /// Runs one process after the other.
    pub(super) async fn live(self: Arc<Self>) {
        let _says = SaysOver(&self);
        loop {
            let end = match self.one().await {
                Over::Stopped => return,
                Over::Never(why) => return self.failed(why),
                Over::Ended(end) => end,
            };
            let (comebacks, next) = self.comebacks().ended(&end);
            *lock(&self.comebacks) = comebacks;
            let pause = match next {
                Next::GiveUp => return self.failed(format!("its process {}", end.why)),
                Next::Again(pause) => pause,
            };
            warn!(provider = %self.id(), why = end.why, ?pause, "a provider's process ended; it is started again");
            let why = format!("its process {}; it is started again in {} ms", end.why, pause.as_millis());
            self.report_away(&why);
            self.report.provider(State::Failed(why));
            self.publish_health(EventName::HealthCheckFailed);
            tokio::select! {
                () = self.cancel.cancelled() => return,
                _deadline = self.stopped() => return,
                () = tokio::time::sleep(pause) => {}
            }
            self.report.provider(State::Starting);
        }
    }

    fn failed(&self, why: String) {
        let is_first = self.first.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert_with(|| Err(why.clone()));
            is_first
        });
        if !is_first {
            warn!(provider = %self.id(), why, "a provider is not started again");
            self.report_away(&why);
            self.report.provider(State::Failed(format!("{why}; stop it and start it again")));
        }
    }

    /// Waits until it shall stop, and tells until when calls in flight may go on. Cancel-safe.
    async fn stopped(&self) -> Instant {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as `self`, so it is always told.
        let told = stop.wait_for(Option::is_some).await.map(|deadline| *deadline);
        told.ok().flatten().unwrap_or_else(Instant::now)
    }

    /// One process from its start to its end.
    async fn one(&self) -> Over {
        if let Err(why) = self.parts.binaries.check(&self.binary).await {
            return Over::Never(why);
        }
        let login = match self.login() {
            Ok(login) => login,
            Err(error) => return Over::Never(error.to_string()),
        };
        let (mut instance, links) = (Instance::new(login), lock(&self.links).anew());
        let links = {
            let mut secrets = lock(&self.secrets);
            secrets.seal_to(instance.seals());
            links.into_iter().map(|link| secrets.fill(self.id(), link)).collect()
        };
        let (about, access, mut config) = (&self.parts.about, &self.parts.access, self.config.subscribe());
        let values = config.borrow_and_update().clone();
        let data = instance.host_data(about, self.id(), access, values, links);
        let (mut child, mut lifeline) =
            match Child::spawn(self.id(), &self.binary, self.parts.confinement.as_ref(), &data).await {
                Ok(spawned) => spawned,
                Err(why) => return Over::Ended(End { why, lived: None }),
            };
        debug!(provider = %self.id(), instance = instance.id, "a provider's process was started");
        let mut known = Known::new();
        let over = tokio::select! {
            () = self.cancel.cancelled() => None,
            deadline = self.stopped() => Some(Ok(deadline)),
            why = child.ended() => Some(Err((why, false))),
            why = self.care(&mut instance, &mut known, &mut lifeline, config) => Some(Err((why, true))),
            never = self.tell_links() => match never {},
        };
        match over {
            None => {
                child.kill();
                let _ended = tokio::time::timeout(END_GRACE, child.ended()).await;
                Over::Stopped
            }
            Some(Ok(deadline)) => {
                self.end(child, lifeline, deadline).await;
                Over::Stopped
            }
            Some(Err((why, runs))) => {
                if runs {
                    child.kill();
                    let _ended = tokio::time::timeout(END_GRACE, child.ended()).await;
                }
                Over::Ended(End { why, lived: known.ready.map(|ready| ready.elapsed()) })
            }
        }
    }

    /// Ends a process in order: it is asked to, given time for calls in flight, and killed if it is still there.
    async fn end(&self, mut child: Child, lifeline: Lifeline, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let asked = self.talk.shutdown(&self.parts.about.id, left);
        let said = tokio::select! {
            _why = child.ended() => return,
            said = tokio::time::timeout_at(deadline + SAY_GRACE, asked) => said,
        };
        if !matches!(said, Ok(Ok(()))) {
            debug!(provider = %self.id(), ?said, "it did not say that it ends");
            child.terminate();
        }
        // Whoever has not heard it otherwise sees by this that it is over.
        drop(lifeline);
        let until = Instant::now().max(deadline + SAY_GRACE) + END_GRACE;
        if tokio::time::timeout_at(until, child.ended()).await.is_err() {
            info!(provider = %self.id(), "it did not end in time, and is killed");
            child.kill();
            let _ended = tokio::time::timeout(END_GRACE, child.ended()).await;
        }
    }
}
