//! Starting again what an operator had started here, after the host itself was started again.

use lattice_core::{ActorId, ImageRef, ProviderId};
use lattice_manifest::Plan;
use tracing::{info, warn};

use super::{Record, Started};
use crate::{
    actors::{ActorSpec, Crew},
    providers::{Builtins, ProviderSpec},
};

/// Starts what stands in the record.
pub(crate) struct Restorer {
    pub(crate) record: Record,
    pub(crate) crew: Crew,
    pub(crate) builtins: Builtins,
    /// Whether commands may name files of this machine: those on record were commands, too.
    pub(crate) allow_files: bool,
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
        let Again { providers, actors, left_out } =
            again(&self.record.started(), |id| is_in(manifest, id), self.allow_files);
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
        // What cannot be fetched now is tried again, unless an operator wants something else by then.
        for actor in actors {
            let id = actor.id.clone();
            if let Err(refused) = self.crew.insist(actor) {
                warn!(actor = %id, ?refused, "an actor is not started again");
            }
        }
    }
}

fn is_in(manifest: Option<&Plan>, id: &str) -> bool {
    manifest.is_some_and(|plan| {
        plan.actors.iter().any(|actor| actor.id.as_str() == id)
            || plan.providers.iter().any(|provider| provider.id.as_str() == id)
    })
}

fn again(started: &Started, in_manifest: impl Fn(&str) -> bool, allow_files: bool) -> Again {
    let mut again = Again::default();
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
    use proptest::prelude::*;
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
        let strict = again(&started, |_| false, false);
        assert_eq!(ids(&strict), "pulled http");
        assert_eq!(strict.left_out.len(), 2, "{:?}", strict.left_out);
        assert!(
            strict.left_out.iter().any(|line| line.contains("--allow-file-load")),
            "{:?}",
            strict.left_out
        );
        assert!(strict.left_out.iter().any(|line| line.starts_with("odd is not started again")));
        assert_eq!(ids(&again(&started, |_| false, true)), "file pulled http");
    }

    proptest! {
        /// Each thing on record is started again, runs by the manifest, or is told to be left out: one of these, once.
        #[test]
        fn nothing_on_record_is_forgotten(
            actors in proptest::collection::btree_map("[a-f]", 0_usize..3, 0..6),
            providers in proptest::collection::btree_map("[u-z]", 0_usize..3, 0..6),
            in_manifest in proptest::collection::btree_set("[a-cu-w]", 0..6),
            allow_files: bool,
        ) {
            let images = [json!({"image": "example.org/a:1"}), json!({"image": "a.wasm", "file": "/a.wasm"}), json!({"image": ""})];
            let of = |map: &std::collections::BTreeMap<String, usize>| -> serde_json::Map<String, serde_json::Value> {
                map.iter().map(|(id, image)| (id.clone(), images[*image].clone())).collect()
            };
            let started: Started =
                serde_json::from_value(json!({"actors": of(&actors), "providers": of(&providers)})).unwrap();
            let again = again(&started, |id| in_manifest.contains(id), allow_files);
            let ids = actors.keys().chain(providers.keys());
            for id in ids {
                let restarted = again.actors.iter().filter(|one| one.id.as_str() == id).count()
                    + again.providers.iter().filter(|one| one.id.as_str() == id).count();
                let line = format!("{id} is not started again: ");
                let left_out = again.left_out.iter().filter(|one| one.starts_with(&line)).count();
                let by_manifest = usize::from(in_manifest.contains(id));
                prop_assert_eq!(restarted + left_out + by_manifest, 1, "{} {:?}", id, &again);
            }
            prop_assert_eq!(again.actors.len() + again.providers.len() + again.left_out.len()
                + actors.keys().chain(providers.keys()).filter(|id| in_manifest.contains(*id)).count(), actors.len() + providers.len());
        }
    }
}
