//! Taking control requests off NATS and answering them.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use lattice_core::{ctl_all_subscriptions, ctl_own_subscriptions};
use lattice_nats::{Connection, ControlServer, Thaws};
use tracing::warn;

use super::{Ctl, call::Calls, router::serve};

/// Commands in hand when the host stops get this long to be answered.
const GRACE: Duration = Duration::from_secs(2);

/// The control subjects of this host, served until stopped.
pub(crate) struct ControlTask(ControlServer);

impl ControlTask {
    /// Returns when the subscriptions are in force: from then on tools find the host. With `own_only` it does what it is
    /// told by its id, and leaves what any host may answer to the others.
    pub(crate) async fn start(
        ctl: Ctl,
        connection: &Connection,
        thaws: &Thaws,
        own_only: bool,
    ) -> anyhow::Result<Self> {
        let (lattice, host) = (&ctl.about.lattice, &ctl.about.id);
        let subjects = match own_only {
            true => ctl_own_subscriptions(lattice, host),
            false => ctl_all_subscriptions(lattice, host),
        };
        let lattice = lattice.clone();
        let ctl = Arc::new(ctl);
        let calls = Arc::new(Calls::new(ctl.clone()));
        let server = ControlServer::serve_on(connection, &lattice, subjects, Some(thaws), move |request| {
            let (ctl, calls) = (ctl.clone(), calls.clone());
            async move {
                if let Some(body) = serve(&ctl, &calls, &request).await
                    && let Err(error) = request.respond(body).await
                {
                    warn!(subject = %request.subject, %error, "a control answer was not sent");
                }
            }
        });
        Ok(Self(server.await.context("cannot serve the control subjects")?))
    }

    pub(crate) async fn stop(&self) {
        self.0.close(GRACE).await;
    }
}
