//! Starting again what an operator had started here, after the host itself was started again.

use lattice_core::{ActorId, ImageRef, ProviderId};
use lattice_manifest::Plan;
use tracing::{info, warn};

use super::{Record, Started, StartedActor};
use crate::{
    actors::{ActorSpec, Crew, StartedOutcome, keep_starting},
    providers::{Builtins, ProviderSpec},
    supervisor::Tasks,
};

/// Starts what stands in the record.
pub(crate) struct Restorer {
    pub(crate) record: Record,
    pub(crate) crew: Crew,
    pub(crate) builtins: Builtins,
    /// Whether commands may name files of this machine: those on record were commands, too.
    pub(crate) allow_files: bool,
    pub(crate) tasks: Tasks,
}

/// What is to be started again, and why the rest is not.
#[derive(Debug, Default, PartialEq)]
struct Again {
    providers: Vec<ProviderSpec>,
    actors: Vec<ActorSpec>,
    /// One line each.
    left_out: Vec<String>,
}

impl Restorer {
    /// Starts everything on record but what the manifest of this start runs anyway, and says so in one line; `facts` is how
    /// many of the lattice are remembered. When this returns every start is under way, so that no later command is overtaken
    /// by one.
    pub(crate) fn run(self, facts: usize, manifest: Option<&Plan>) {
        let Again { providers, actors, left_out } = again(&self.record.started(), manifest, self.allow_files);
        for reason in &left_out {
            warn!("{reason}");
        }
        let ids = |ids: Vec<&str>| if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
        if facts > 0 || !providers.is_empty() || !actors.is_empty() {
            info!(
                actors = ids(actors.iter().map(|actor| actor.id.as_str()).collect()),
                providers = ids(providers.iter().map(|provider| provider.id.as_str()).collect()),
                facts,
                "restored what this host had; start it with --fresh to begin empty"
            );
        }
        for provider in providers {
            if let Err(refused) = self.builtins.start(provider) {
                warn!(?refused, "a provider is not started again");
            }
        }
        for actor in actors {
            match self.crew.scale(actor.clone(), true) {
                Ok(first) => self.keep(actor, first),
                Err(refused) => warn!(actor = %actor.id, ?refused, "an actor is not started again"),
            }
        }
    }

    /// What cannot be fetched now is tried again, unless an operator wants something else by then.
    fn keep(&self, spec: ActorSpec, first: StartedOutcome) {
        let (crew, record, stop) = (self.crew.clone(), self.record.clone(), self.tasks.closing_token());
        self.tasks.spawn("restore", async move {
            let is_it = |actor: &StartedActor| actor.spec(&spec.id).is_ok_and(|on_record| on_record == spec);
            let is_wanted = || record.started().actors.get(&spec.id).is_some_and(is_it);
            keep_starting(&crew, &spec, Some(first), is_wanted, &stop).await;
        });
    }
}

fn again(started: &Started, manifest: Option<&Plan>, allow_files: bool) -> Again {
    let mut again = Again::default();
    let in_manifest = |id: &str| {
        manifest.is_some_and(|plan| {
            plan.actors.iter().any(|actor| actor.id.as_str() == id)
                || plan.providers.iter().any(|provider| provider.id.as_str() == id)
        })
    };
    let refused_file = |image: &ImageRef| matches!(image, ImageRef::File(_)) && !allow_files;
    let left_out = |id: &str, why: &str| format!("{id} is not started again: {why}");
    let file_why = "its image is a file, and this host starts none at the request of others; start it with --allow-file-load";
    for (id, provider) in
        started.providers.iter().filter(|(id, _): &(&ProviderId, _)| !in_manifest(id.as_str()))
    {
        match provider.spec(id) {
            Ok(spec) if refused_file(&spec.image) => again.left_out.push(left_out(id.as_str(), file_why)),
            Ok(spec) => again.providers.push(spec),
            Err(error) => again.left_out.push(left_out(id.as_str(), &error.to_string())),
        }
    }
    for (id, actor) in started.actors.iter().filter(|(id, _): &(&ActorId, _)| !in_manifest(id.as_str())) {
        match actor.spec(id) {
            Ok(spec) if refused_file(&spec.image) => again.left_out.push(left_out(id.as_str(), file_why)),
            Ok(spec) => again.actors.push(spec),
            Err(error) => again.left_out.push(left_out(id.as_str(), &error.to_string())),
        }
    }
    again
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_need_leave_and_what_does_not_read_is_told() {
        let started: Started = serde_json::from_value(json!({
            "actors": {"file": {"image": "a.wasm", "file": "/srv/a.wasm"}, "pulled": {"image": "example.org/a:1"}},
            "providers": {"http": {"image": "builtin://http-server"}, "odd": {"image": "builtin://weather"}},
        }))
        .unwrap();
        let ids = |again: &Again| {
            let actors = again.actors.iter().map(|actor| actor.id.to_string());
            let providers = again.providers.iter().map(|provider| provider.id.to_string());
            actors.chain(providers).collect::<Vec<_>>().join(" ")
        };
        let strict = again(&started, None, false);
        assert_eq!(ids(&strict), "pulled http");
        assert_eq!(strict.left_out.len(), 2, "{:?}", strict.left_out);
        assert!(
            strict.left_out.iter().any(|line| line.contains("--allow-file-load")),
            "{:?}",
            strict.left_out
        );
        assert!(strict.left_out.iter().any(|line| line.starts_with("odd is not started again")));
        assert_eq!(ids(&again(&started, None, true)), "file pulled http");
    }
}
