//! The lines by which other hosts and tools call this one, in the hands of whoever starts and stops the host.

use std::{sync::Arc, time::Duration};

use lattice_nats::{Calls, Serving, SubscribeError};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use tracing::warn;

use super::{Announcements, Door, Server};
use crate::{signal::Changed, supervisor::Tasks};

/// How long withdrawing may take: unsubscribing does not wait for anybody.
const WITHDRAW_WITHIN: Duration = Duration::from_secs(1);
/// How often it is looked whether calls from outside have ended; nobody tells.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Calls from outside. They begin with [`Lines::open`], and end in three steps: nothing new, those in flight, all.
pub(crate) struct Lines {
    calls: Calls,
    serving: Arc<Serving>,
    door: Door,
    withdrawn: watch::Receiver<bool>,
    changed: Changed,
}

impl Lines {
    /// Takes calls from now on, and announces what runs here.
    pub(crate) async fn open(
        calls: Calls,
        server: Server,
        changed: &Changed,
        tasks: &Tasks,
    ) -> Result<Self, SubscribeError> {
        let (host, door) = (server.about.id.clone(), server.door.clone());
        let (actors, providers) = (server.actors.clone(), server.providers.clone());
        let serving = Arc::new(calls.serve(&host, Arc::new(server)).await?);
        let (told, withdrawn) = watch::channel(false);
        let announcements = Announcements {
            serving: serving.clone(),
            actors,
            providers,
            door: door.clone(),
            changed: changed.clone(),
            withdrawn: told,
        };
        tasks.spawn_core("announcements", announcements.keep(tasks.stop_token()));
        Ok(Self { calls, serving, door, withdrawn, changed: changed.clone() })
    }

    /// Takes no new calls. Those that still come are answered as not run, so that their callers go elsewhere.
    pub(crate) async fn withdraw(&self) {
        self.door.close(&self.changed);
        let mut withdrawn = self.withdrawn.clone();
        if tokio::time::timeout(WITHDRAW_WITHIN, withdrawn.wait_for(|done| *done)).await.is_err() {
            warn!("what runs here was not withdrawn in time; calls that come are refused");
        }
    }

    /// Waits until the calls that came have been answered to their end, at most until `deadline`. Callers that have not heard
    /// of the stop are refused for so long, and find nobody here from then on: either way they know at once.
    pub(crate) async fn finish(&self, deadline: Instant) {
        self.serving.end().await;
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ended = async {
            while self.calls.counts().served > 0 {
                looks.tick().await;
            }
        };
        if tokio::time::timeout_at(deadline, ended).await.is_err() {
            warn!(calls = self.calls.counts().served, "calls from outside are broken off");
        }
    }

    /// Ends all calls, those that are made here too.
    pub(crate) async fn close(&self) {
        self.calls.close().await;
    }
}
