//! One provider's life: made once its configuration is there, linked as the lattice says, stopped in order.
//!
//! The task looks at the state of the lattice whenever anything changed and goes from what is to what should be, so a
//! change that was missed is caught by the next one.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lattice_claims::{Claims, ProviderMetadata};
use lattice_contracts::{Callee, Provider, ProviderContext, ProviderLink};
use lattice_control_interface::events::{EventClaims, Legacy, ProviderStartFailed, ProviderStarted};
use lattice_core::{Distance, ImageRef, LinkName, SecretName, State};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::{Builtins, ProviderSpec, StartRefused, report::TableReport, table::Tenure};
use crate::{
    calls::Way,
    links::{Effect, Reconciler, merge, wanted},
    secrets::Missing,
};

/// What a provider may take beyond its deadline to end.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// What a provider may take to say how a link fares at first.
const PUT_WITHIN: Duration = Duration::from_secs(10);

impl Builtins {
    /// Starts a provider; returns as soon as it is in the table. How it fares is told by state and event.
    pub(crate) fn start(&self, spec: ProviderSpec) -> Result<(), StartRefused> {
        if self.tasks.is_closing() {
            return Err(StartRefused::Stopping);
        }
        let tenure = self.table.enter(spec.clone())?;
        let this = self.clone();
        self.tasks.spawn("provider", async move { this.live(tenure, spec).await });
        Ok(())
    }

    async fn live(&self, tenure: Tenure, spec: ProviderSpec) {
        let Some(config) = self.wait_for_config(&tenure, &spec).await else { return tenure.end() };
        let tasks = TaskTracker::new();
        // What the provider spawned ends with this task, even if it panics.
        let cancel = CancellationToken::new();
        let _ends_all = cancel.clone().drop_guard();
        let context = ProviderContext {
            id: spec.id.clone(),
            config,
            report: Arc::new(TableReport {
                id: spec.id.clone(),
                table: self.table.clone(),
                refused: self.refused.clone(),
            }),
            ids: self.ids.clone(),
            tasks: tasks.clone(),
            cancel: cancel.clone(),
        };
        let made = tokio::select! {
            // A start that is given up leaves no process: the token is cancelled with this task.
            _deadline = tenure.stopped() => return self.give_up(tenure, &tasks, &cancel).await,
            made = self.made(&spec, context) => made,
        };
        let (provider, claims) = match made {
            Ok(made) => made,
            Err(reason) => {
                self.tell_start_failed(&spec, reason);
                return tenure.end();
            }
        };
        if let Some(claims) = &claims {
            self.lattice.put_provider_claims(claims).await;
            self.table.set_claims(&spec.id, claims.clone());
        }
        self.table.install(&spec.id, provider.clone());
        self.tell_started(&spec, claims.as_deref());
        let deadline = self.keep_linked(&tenure, &spec, &*provider).await;

        self.table.set_state(&spec.id, State::Stopping);
        if tokio::time::timeout_at(deadline + STOP_GRACE, provider.stop(deadline)).await.is_err() {
            warn!(provider = %spec.id, "provider did not stop in time; what it still did is lost");
        }
        self.table.withdraw(&spec.id);
        tasks.close();
        // What is still running is broken off; a moment is enough to notice a cancelled token.
        cancel.cancel();
        if tokio::time::timeout(STOP_GRACE, tasks.wait()).await.is_err() {
            warn!(provider = %spec.id, left = tasks.len(), "tasks of a stopped provider still run");
        }
        info!(provider = %spec.id, "provider stopped");
        tenure.end();
    }

    /// Makes a provider: in this process where it is part of the host, else as one of its own, of which is told what is signed.
    async fn made(
        &self,
        spec: &ProviderSpec,
        context: ProviderContext,
    ) -> Result<(Arc<dyn Provider>, Option<Arc<Claims<ProviderMetadata>>>), String> {
        if let ImageRef::Builtin(builtin) = &spec.image {
            return Ok((self.make(*builtin, context)?, None));
        }
        let provider = self.processes.start(spec, context).await?;
        let claims = provider.claims();
        Ok((Arc::new(provider), Some(claims)))
    }

    async fn give_up(&self, tenure: Tenure, tasks: &TaskTracker, cancel: &CancellationToken) {
        cancel.cancel();
        tasks.close();
        if tokio::time::timeout(STOP_GRACE, tasks.wait()).await.is_err() {
            warn!(provider = %tenure.id, "a start that was given up still runs");
        }
        tenure.end();
    }

    fn tell_started(&self, spec: &ProviderSpec, claims: Option<&Claims<ProviderMetadata>>) {
        info!(provider = %spec.id, image = %spec.image, "provider started");
        self.events.publish(&ProviderStarted {
            host_id: self.about.id.clone(),
            provider_id: spec.id.clone(),
            image_ref: spec.shown_image().to_owned(),
            annotations: spec.annotations.clone(),
            claims: claims.map(event_claims),
            legacy: Legacy::of(&spec.id),
        });
    }

    fn tell_start_failed(&self, spec: &ProviderSpec, reason: String) {
        warn!(provider = %spec.id, image = %spec.image, reason, "provider did not start");
        self.table.set_state(&spec.id, State::Failed(reason.clone()));
        self.events.publish(&ProviderStartFailed {
            error: reason,
            host_id: self.about.id.clone(),
            provider_id: spec.id.clone(),
            provider_ref: spec.image_text.clone(),
            link_name: LinkName::default(),
        });
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
                _deadline = tenure.stopped() => return None,
                heard = changed.changed() => heard.ok()?,
            }
        }
    }

    /// Goes from the links the provider has to those it should have, at every change, until it shall stop: then tells
    /// until when calls in flight may go on.
    async fn keep_linked(&self, tenure: &Tenure, spec: &ProviderSpec, provider: &dyn Provider) -> Instant {
        let mut changed = self.lattice.changed().listen();
        let mut links = Reconciler::default();
        loop {
            changed.borrow_and_update();
            if let Ok(config) = merge(&spec.config, &self.lattice.view().configs) {
                provider.update_config(config);
            }
            // A provider that is stopped while it takes a link loses the link with all others.
            tokio::select! {
                deadline = tenure.stopped() => return deadline,
                () = self.converge(tenure, provider, &mut links) => {}
            }
            tokio::select! {
                deadline = tenure.stopped() => return deadline,
                heard = changed.changed() => if heard.is_err() { return Instant::now() },
            }
        }
    }

    async fn converge(&self, tenure: &Tenure, provider: &dyn Provider, links: &mut Reconciler) {
        let facts = self.lattice.view();
        let open = |name: &SecretName| match provider.takes_secrets() {
            true => self.secrets.get_of(&facts, name),
            false => Err(Missing::NotTaken { name: name.clone(), provider: tenure.id.clone() }),
        };
        let judged = wanted(&tenure.id, &provider.serves(), &facts, &open);
        for step in links.steps(&judged, &self.table.links_of(&tenure.id)) {
            self.take(tenure, provider, &step).await;
            links.done(step);
        }
    }

    async fn take(&self, tenure: &Tenure, provider: &dyn Provider, step: &Effect) {
        match step {
            Effect::Put(key, wanted) if provider.is_process() && wanted.distance == Distance::Local => {
                provider.delete_link(key).await;
                let reason = "the provider is a process of its own, which is called over NATS, and the link keeps calls in the \
                              host's process (distance local); put it with --distance prefer-local";
                self.table.set_link(&tenure.id, key, Some(State::Failed(reason.to_owned())));
            }
            Effect::Put(key, wanted) => {
                let callee = if wanted.provider_calls {
                    Callee::Http(self.callees.http(Way { key: key.clone(), distance: wanted.distance }))
                } else {
                    Callee::None
                };
                let put = provider.put_link(ProviderLink {
                    key: key.clone(),
                    actor: wanted.actor.clone(),
                    interfaces: wanted.interfaces.clone(),
                    config: wanted.config.clone(),
                    secrets: wanted.secrets.clone(),
                    callee,
                });
                if tokio::time::timeout(PUT_WITHIN, put).await.is_err() {
                    let reason =
                        format!("the provider did not take the link within {PUT_WITHIN:?}; put it again");
                    self.table.set_link(&tenure.id, key, Some(State::Failed(reason)));
                }
            }
            Effect::Delete(key) => provider.delete_link(key).await,
            Effect::Show(key, state) => self.table.set_link(&tenure.id, key, state.clone()),
        }
    }
}

fn event_claims(claims: &Claims<ProviderMetadata>) -> EventClaims {
    let human = |time: Option<u64>| time.map_or_else(|| "never".to_owned(), |time| time.to_string());
    let metadata = claims.metadata.as_ref();
    EventClaims {
        call_alias: None,
        issuer: claims.issuer.clone(),
        tags: None,
        // Tools of wasmCloud 1.x want a text for both.
        name: Some(metadata.and_then(|m| m.name.clone()).unwrap_or_default()),
        version: Some(metadata.and_then(|m| m.version.clone()).unwrap_or_default()),
        revision: None,
        not_before_human: human(claims.not_before),
        expires_human: human(claims.expires),
    }
}
