//! The id of an actor that was given none: the key in its claims.

use lattice_claims::inspect_actor;
use lattice_core::{ActorId, ImageRef};
use lattice_registry::{FetchConfig, Fetcher, Offline, oci_cache_dir};

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    images::remedy,
    output::Output,
};

/// Reads the claims of an image that is here or in a registry. Whether they hold is for the host to check.
pub(crate) async fn actor_id(out: &Output, image: &ImageRef, insecure: &[String]) -> Outcome<ActorId> {
    let progress = out.progress(format!("reading the claims of {image}"));
    let config = FetchConfig {
        cache_dir: oci_cache_dir(),
        allowed_insecure: insecure.to_vec(),
        // Whether a tag that moves is good enough to run is for the host to say.
        allow_latest: true,
        ..FetchConfig::default()
    };
    let failed = |error: lattice_registry::FetchError| {
        let own = format!("give the actor a name of your own: wash start actor {image} NAME");
        let remedy = match remedy(&error) {
            first if first.is_empty() => own,
            first => format!("{}; or {own}", first.trim_end_matches('.')),
        };
        let failure =
            if error.is_retryable() { Failure::unreachable(error) } else { Failure::refused(error) };
        failure.context(format!("cannot read the claims of {image}")).help(remedy)
    };
    let fetcher = Fetcher::new(config).map_err(failed)?;
    let artifact = fetcher.fetch(image, Offline::UseCache).await.map_err(failed)?;
    drop(progress);
    let claims = inspect_actor(&artifact.bytes)
        .map_err(|error| Failure::refused(error).context(format!("{image} is not a readable actor")))?;
    let named = |what: &str| {
        Failure::say(Exit::Refused, format!("{image} {what}, so it has no id of its own"))
            .help(format!("give it a name: wash start actor {image} NAME"))
    };
    let (_, claims) = claims.ok_or_else(|| named("is not signed"))?;
    ActorId::new(&claims.subject).map_err(|_| named("has no key in its claims"))
}
