//! Making a manifest true on this host.
//!
//! Facts first (configurations, links), then what runs. Each part is tried on its own, so that one image that cannot be
//! fetched holds up nothing else; what may pass by itself is tried again, with growing pauses.

use std::{collections::BTreeMap, time::Duration};

use lattice_manifest::{Actor, Manifest, Plan};
use lattice_nats::StateError;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    actors::{ActorSpec, Crew, Limits},
    lattice::Lattice,
    pause::Pause,
    providers::{Builtins, ProviderSpec, StartRefused},
};

/// Marks what a manifest runs, in the words of wadm.
const APP_ANNOTATION: &str = "wasmcloud.dev/appspec";

/// Applies manifests.
#[derive(Clone)]
pub(crate) struct Applier {
    pub(crate) lattice: Lattice,
    pub(crate) crew: Crew,
    pub(crate) builtins: Builtins,
    pub(crate) stop: CancellationToken,
}

impl Applier {
    /// Applies `manifest` and returns when all of it runs, or what does not will not by itself.
    pub(crate) async fn run(&self, manifest: &Manifest) {
        let app = manifest.app().to_string();
        for note in manifest.notes() {
            warn!(app, "{note}");
        }
        let annotations = BTreeMap::from([(APP_ANNOTATION.to_owned(), app.clone())]);
        let plan = manifest.plan();
        self.put_facts(plan).await;
        for provider in &plan.providers {
            let spec = ProviderSpec {
                id: provider.id.clone(),
                image: provider.image.clone(),
                image_text: provider.image.to_string(),
                config: provider.config.clone(),
                annotations: annotations.clone(),
            };
            if self.builtins.start(spec) == Err(StartRefused::AlreadyRunning) {
                warn!(provider = %provider.id, "runs already; the manifest's is not started beside it");
            }
        }
        let starts = plan.actors.iter().map(|actor| self.start(actor, &annotations));
        let started = futures::future::join_all(starts).await;
        let failed = started.iter().filter(|ok| !**ok).count();
        if failed == 0 {
            info!(app, actors = plan.actors.len(), providers = plan.providers.len(), "manifest applied");
        } else {
            error!(
                app,
                failed, "manifest applied in part; `wash get inventory` says what is missing and why"
            );
        }
    }

    async fn put_facts(&self, plan: &Plan) {
        for config in &plan.configs {
            self.insist("config", config.name.as_str(), || {
                self.lattice.put_config(&config.name, &config.values)
            })
            .await;
        }
        for link in &plan.links {
            let shown = format!("{} -> {}", link.source, link.target);
            self.insist("link", &shown, || self.lattice.put_link(link)).await;
        }
    }

    /// Tries until it works or the host stops: the only thing that fails here is the way to JetStream.
    async fn insist<F: Future<Output = Result<(), StateError>>>(
        &self,
        what: &str,
        name: &str,
        attempt: impl Fn() -> F,
    ) {
        let mut pause = Pause::new();
        while let Err(error) = attempt().await {
            warn!(what, name, %error, again_in = ?pause.next(), "cannot be written yet");
            if pause.wait(&self.stop).await.is_break() {
                return;
            }
        }
    }

    /// True when the actor runs; what may pass by itself is waited for.
    async fn start(&self, actor: &Actor, annotations: &BTreeMap<String, String>) -> bool {
        match self.crew.insist(spec_of(actor, annotations)) {
            Ok(outcome) => matches!(outcome.await, Ok(Ok(()))),
            Err(_refused) => false,
        }
    }
}

fn spec_of(actor: &Actor, annotations: &BTreeMap<String, String>) -> ActorSpec {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    ActorSpec {
        id: actor.id.clone(),
        image: actor.image.clone(),
        image_text: actor.image.to_string(),
        concurrency: actor.concurrency,
        queue: actor.queue,
        reuse: actor.reuse,
        limits: Limits {
            memory_bytes: actor.limits.memory_bytes,
            wall_ms: actor.limits.wall.map(ms),
            cpu_ms: actor.limits.cpu.map(ms),
        },
        annotations: annotations.clone(),
        config: actor.config.clone(),
        secrets: actor.secrets.clone(),
    }
}
