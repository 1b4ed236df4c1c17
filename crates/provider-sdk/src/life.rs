//! What a provider process does from its first link to its end.

use std::{sync::Arc, time::Duration};

use data_encoding::BASE64;
use lattice_contracts::Provider;
use lattice_core::{EntityId, ProviderVerb};
use lattice_nats::{Announced, Calls, Connection, HostLine, Said, Serving, SubscribeError};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Mutex, mpsc, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    RunError,
    desk::{self, Clerk, LinkOrder},
    links::Links,
    obey::Obedience,
    renewal::Renewal,
    serve::Server,
    start::Me,
    stdin::Input,
    wire::{LinkDefinition, Shutdown},
};

/// How long calls in flight may take where the host does not say: as wasmCloud 1.x, which kills after 300 ms.
const DRAIN_USUAL: Duration = Duration::from_millis(250);
/// The same where the host is gone, or somebody sends a signal.
const DRAIN_ORPHAN: Duration = Duration::from_secs(1);
/// What a provider may take beyond the deadline to end.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// How often it is looked whether calls have ended; nobody tells.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Links that wait to be put or deleted.
const ORDERS_MAX: usize = 1024;
/// How long after new credentials a quiet moment is waited for to log in with them. Later the server does it.
const QUIET_WITHIN: Duration = Duration::from_secs(120);
/// How long logging in anew may take.
const RECONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long what is on its way here may take, once no more is asked for.
const ON_ITS_WAY: Duration = Duration::from_millis(50);

/// Everything that a process consists of.
pub(crate) struct Life {
    pub(crate) me: Me,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) links: Arc<Links>,
    pub(crate) renewal: Renewal,
    pub(crate) calls: Calls,
    pub(crate) connection: Connection,
    /// The provider's own.
    pub(crate) tasks: TaskTracker,
    pub(crate) cancel: CancellationToken,
    /// Cancelled when the host is gone.
    pub(crate) lifeline: CancellationToken,
}

/// Why it ends, and until when calls in flight may go on.
struct End {
    why: &'static str,
    deadline: Instant,
    /// Who waits to hear that it is done.
    said: Option<Said>,
}

/// Calls, taken or not.
struct Doorway {
    serving: Serving,
    target: EntityId,
    announced: Mutex<Option<Announced>>,
}

impl Doorway {
    async fn open(&self) -> Result<(), SubscribeError> {
        let mut announced = self.announced.lock().await;
        if announced.is_none() {
            *announced = Some(self.serving.announce(&self.target).await?);
        }
        Ok(())
    }

    async fn shut(&self) {
        drop(self.announced.lock().await.take());
    }
}

impl Life {
    /// Runs until it shall end; then ends in order.
    pub(crate) async fn run(
        self,
        line: HostLine,
        input: Input,
        links: Vec<LinkDefinition>,
    ) -> Result<(), RunError> {
        let this = Arc::new(self);
        let server = Server::new(this.me.id.clone(), this.provider.clone(), this.links.clone());
        let doorway = Arc::new(Doorway {
            serving: this.calls.serve_targets(Arc::new(server)),
            target: this.me.id.clone().into(),
            announced: Mutex::new(None),
        });
        // Those of this crate: they end before the provider does.
        let (own, stop) = (TaskTracker::new(), CancellationToken::new());
        let (orders, waiting) = mpsc::channel(ORDERS_MAX);
        let failed = watch::Sender::new(None);
        own.spawn(until(
            stop.clone(),
            this.clone().keep_links(doorway.clone(), links, waiting, failed.clone()),
        ));
        let renewed = watch::Sender::new(0_u64);
        own.spawn(until(stop.clone(), this.clone().log_in_anew(doorway.clone(), renewed.subscribe())));

        let outcome = this.hear(line, input, orders, renewed, failed.subscribe()).await;
        stop.cancel();
        own.close();
        let _ended = tokio::time::timeout(STOP_GRACE, own.wait()).await;
        let deadline = outcome.as_ref().map_or_else(|_| Instant::now(), |end| end.deadline);
        this.end(&doorway, deadline).await;
        match outcome {
            Ok(end) => {
                info!(provider = %this.me.id, why = end.why, "provider ends");
                if let Some(said) = end.said
                    && let Err(error) = said.answer("shutting down").await
                {
                    warn!(%error, "the host was not told that this provider ends");
                }
                this.connection.close().await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Hears the host, on NATS and on standard input, until something says that it is over.
    async fn hear(
        &self,
        mut line: HostLine,
        mut input: Input,
        orders: mpsc::Sender<LinkOrder>,
        renewed: watch::Sender<u64>,
        mut failed: watch::Receiver<Option<String>>,
    ) -> Result<End, RunError> {
        let (mut terminate, mut interrupt) =
            (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        let obedience = Obedience {
            me: &self.me,
            provider: &self.provider,
            links: &self.links,
            renewal: &self.renewal,
            orders,
            renewed,
        };
        let mut input_is_open = true;
        let orphan = |why| End { why, deadline: Instant::now() + DRAIN_ORPHAN, said: None };
        loop {
            tokio::select! {
                said = line.next() => match said {
                    Some(said) if said.verb == ProviderVerb::Shutdown => {
                        if let Some(end) = self.shutdown(said) {
                            return Ok(end);
                        }
                    }
                    Some(said) => obedience.obey(said).await,
                    None => return Ok(orphan("the connection was closed")),
                },
                line = input.next(), if input_is_open => match line {
                    // The way around a NATS server that is away for longer than a token lasts.
                    Some(line) => match BASE64.decode(line.trim_ascii().as_bytes()) {
                        Ok(sealed) => drop(obedience.renew(&sealed)),
                        Err(error) => warn!(%error, "a line of standard input does not read"),
                    },
                    None => input_is_open = false,
                },
                () = self.lifeline.cancelled() => return Ok(orphan("its host is gone")),
                _ = terminate.recv() => return Ok(orphan("SIGTERM")),
                _ = interrupt.recv() => return Ok(orphan("SIGINT")),
                Ok(why) = failed.wait_for(Option::is_some) => {
                    return Err(RunError::Made(why.clone().unwrap_or_default()));
                }
            }
        }
    }

    fn shutdown(&self, said: Said) -> Option<End> {
        let order: Shutdown = serde_json::from_slice(&said.payload).ok()?;
        if order.host_id != self.me.host.as_str() {
            return None;
        }
        let within = order.within_ms.map_or(DRAIN_USUAL, Duration::from_millis);
        Some(End { why: "its host says so", deadline: Instant::now() + within, said: Some(said) })
    }

    /// Gives the provider its links: those of the start, then whatever the host says.
    async fn keep_links(
        self: Arc<Self>,
        doorway: Arc<Doorway>,
        first: Vec<LinkDefinition>,
        orders: mpsc::Receiver<LinkOrder>,
        failed: watch::Sender<Option<String>>,
    ) {
        let keeper = Keeper { life: self, doorway, failed };
        desk::keep_links(&keeper, first.into_iter().filter_map(LinkOrder::first), orders).await;
    }

    /// Logs in with new credentials in a moment in which no call is under way: the server would do it in any moment.
    async fn log_in_anew(self: Arc<Self>, doorway: Arc<Doorway>, mut renewed: watch::Receiver<u64>) {
        while renewed.changed().await.is_ok() {
            let until = Instant::now() + QUIET_WITHIN;
            while Instant::now() < until && !self.reconnected(&doorway).await {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    async fn reconnected(&self, doorway: &Doorway) -> bool {
        if self.calls.counts().open > 0 {
            return false;
        }
        doorway.shut().await;
        tokio::time::sleep(ON_ITS_WAY).await;
        let quiet = self.calls.counts().open == 0;
        if quiet && !self.connection.reconnect(RECONNECT_WITHIN).await {
            warn!("NATS is not in reach again; calls are taken as soon as it is");
        }
        // Whoever called meanwhile tries again for as long as this takes.
        let mut failures = 0_u32;
        while let Err(error) = doorway.open().await {
            if failures == 0 {
                warn!(%error, "calls are not taken for a moment");
            }
            failures = failures.saturating_add(1);
            tokio::time::sleep(LOOK_EVERY).await;
        }
        quiet
    }

    /// Takes nothing new, lets calls in flight end until `deadline`, and breaks off the rest.
    async fn end(&self, doorway: &Doorway, deadline: Instant) {
        self.links.set_takes_calls(false);
        doorway.shut().await;
        doorway.serving.end().await;
        let ended = async {
            self.provider.stop(deadline).await;
            while self.calls.counts().served > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout_at(deadline + STOP_GRACE, ended).await.is_err() {
            warn!(calls = self.calls.counts().served, "what the provider still did is broken off");
        }
        self.cancel.cancel();
        self.tasks.close();
        let _ended = tokio::time::timeout(STOP_GRACE, self.tasks.wait()).await;
        self.calls.close().await;
    }
}

/// Who gives the provider its links.
struct Keeper {
    life: Arc<Life>,
    doorway: Arc<Doorway>,
    /// Why the process is of no use, once it is.
    failed: watch::Sender<Option<String>>,
}

impl Clerk for Keeper {
    async fn carry_out(&self, order: LinkOrder) {
        let LinkOrder { key, link, deletes, said } = order;
        let answer = match deletes {
            false => self.life.put(&key, link).await,
            true => self.life.delete(&key, link.generation).await,
        };
        let Some(said) = said else { return };
        if let Err(error) = said.answer(serde_json::to_vec(&answer).unwrap_or_default()).await {
            // It asks again.
            warn!(%error, "the host was not told of a link");
        }
    }

    async fn take_calls(&self) -> bool {
        match self.doorway.open().await {
            Ok(()) => self.life.links.set_takes_calls(true),
            Err(error) => {
                self.failed.send_replace(Some(format!("this provider cannot take calls: {error}")));
                return false;
            }
        }
        true
    }
}

async fn until(stop: CancellationToken, task: impl Future<Output = ()>) {
    let _stopped = stop.run_until_cancelled(task).await;
}

fn listen(kind: SignalKind) -> Result<Signal, RunError> {
    signal(kind).map_err(|error| RunError::System { what: "listen for a signal", why: error.to_string() })
}
