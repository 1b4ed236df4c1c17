//! One provider's life: made once its configuration is there, linked as the lattice says, stopped in order.
//!
//! The task looks at the state of the lattice whenever anything changed and goes from what is to what should be, so a
//! change that was missed is caught by the next one.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lattice_contracts::{Callee, Provider, ProviderContext, ProviderLink};
use lattice_control_interface::events::{Legacy, ProviderStartFailed, ProviderStarted};
use lattice_core::{LinkKey, LinkName, State};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::{AlreadyRunning, Builtins, ProviderSpec, report::TableReport, table::Tenure};
use crate::links::{Applied, Effect, Verdict, diff, merge, wanted};

impl Builtins {
    /// Starts a provider; returns as soon as it is in the table. How it fares is told by state and event.
    pub(crate) fn start(&self, spec: ProviderSpec) -> Result<(), AlreadyRunning> {
        let stop = self.tasks.stop_token().child_token();
        let tenure = self.table.enter(spec.clone(), stop)?;
        let this = self.clone();
        self.tasks.spawn("provider", async move { this.live(tenure, spec).await });
        Ok(())
    }

    async fn live(&self, tenure: Tenure, spec: ProviderSpec) {
        let Some(config) = self.wait_for_config(&tenure, &spec).await else { return };
        let tasks = TaskTracker::new();
        let cancel = CancellationToken::new();
        let context = ProviderContext {
            id: spec.id.clone(),
            config,
            report: Arc::new(TableReport { id: spec.id.clone(), table: self.table.clone() }),
            ids: self.ids.clone(),
            tasks: tasks.clone(),
            cancel: cancel.clone(),
        };
        let provider = match self.make(&spec.image, context) {
            Ok(provider) => provider,
            Err(reason) => {
                warn!(provider = %spec.id, image = %spec.image, reason, "provider did not start");
                self.table.set_state(&spec.id, State::Failed(reason.clone()));
                self.events.publish(&ProviderStartFailed {
                    error: reason,
                    host_id: self.about.id.clone(),
                    provider_id: spec.id.clone(),
                    provider_ref: spec.image_text.clone(),
                    link_name: LinkName::default(),
                });
                return;
            }
        };
        self.table.install(&spec.id, provider.clone());
        info!(provider = %spec.id, image = %spec.image, "provider started");
        self.events.publish(&ProviderStarted {
            host_id: self.about.id.clone(),
            provider_id: spec.id.clone(),
            image_ref: spec.shown_image().to_owned(),
            annotations: spec.annotations.clone(),
            claims: None,
            legacy: Legacy::of(&spec.id),
        });
        self.keep_linked(&tenure, &*provider).await;

        self.table.set_state(&spec.id, State::Stopping);
        let deadline = Instant::now() + self.drain;
        provider.stop(deadline).await;
        self.table.withdraw(&spec.id);
        tasks.close();
        // What is still running after the deadline is broken off; a second is enough to notice a cancelled token.
        if tokio::time::timeout_at(deadline, tasks.wait()).await.is_err() {
            cancel.cancel();
            let _late = tokio::time::timeout(Duration::from_secs(1), tasks.wait()).await;
        }
        cancel.cancel();
        info!(provider = %spec.id, "provider stopped");
    }

    /// Named configuration may come after the provider: it is pending until then. `None` when stopped first.
    async fn wait_for_config(
        &self,
        tenure: &Tenure,
        spec: &ProviderSpec,
    ) -> Option<BTreeMap<String, String>> {
        let mut changed = self.lattice.changed().listen();
        loop {
            match merge(&spec.config, &self.lattice.view().configs) {
                Ok(config) => return Some(config),
                Err(missing) => {
                    let reason = format!(
                        "config {missing} does not exist; make it: wash config put {missing} KEY=VALUE"
                    );
                    self.table.set_state(&spec.id, State::Pending(reason));
                }
            }
            tokio::select! {
                () = tenure.stop.cancelled() => return None,
                heard = changed.changed() => heard.ok()?,
            }
        }
    }

    /// Goes from the links the provider has to those it should have, at every change, until it shall stop.
    async fn keep_linked(&self, tenure: &Tenure, provider: &dyn Provider) {
        let mut changed = self.lattice.changed().listen();
        let mut applied = Applied::new();
        loop {
            changed.borrow_and_update();
            let view = self.lattice.view();
            let judged = wanted(&tenure.id, provider.serves(), view.links.values(), &view.configs);
            for effect in diff(&applied, &judged) {
                self.apply(tenure, provider, &mut applied, effect).await;
            }
            self.show_blocked(tenure, &judged);
            tokio::select! {
                () = tenure.stop.cancelled() => return,
                heard = changed.changed() => if heard.is_err() { return },
            }
        }
    }

    async fn apply(&self, tenure: &Tenure, provider: &dyn Provider, applied: &mut Applied, effect: Effect) {
        match effect {
            Effect::Put(key, wanted) => {
                let callee = if wanted.provider_calls {
                    Callee::Http(self.callees.http(&wanted.actor))
                } else {
                    Callee::None
                };
                provider
                    .put_link(ProviderLink {
                        key: key.clone(),
                        actor: wanted.actor.clone(),
                        interfaces: wanted.interfaces.clone(),
                        config: wanted.config.clone(),
                        callee,
                    })
                    .await;
                applied.insert(key, wanted);
            }
            Effect::Delete(key) => {
                provider.delete_link(&key).await;
                applied.remove(&key);
                self.table.set_link(&tenure.id, &key, None);
            }
        }
    }

    /// Links the provider was not given have a state all the same; links that no longer exist have none.
    fn show_blocked(&self, tenure: &Tenure, judged: &BTreeMap<LinkKey, Verdict>) {
        let shown = self.table.links_of(&tenure.id);
        for key in shown.iter().filter(|key| !judged.contains_key(*key)) {
            self.table.set_link(&tenure.id, key, None);
        }
        for (key, verdict) in judged {
            if let Verdict::Blocked(state) = verdict {
                self.table.set_link(&tenure.id, key, Some(state.clone()));
            }
        }
    }
}
