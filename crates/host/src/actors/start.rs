//! Starting one actor: its bytes, whose signature they carry, compiled code, limits.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lattice_claims::{VerifyError, verify_actor};
use lattice_contracts::InvocationIds;
use lattice_core::{ActorId, ConfigName, HostId, ImageRef, SecretName, with_causes};
use lattice_registry::{Artifact, FetchError, Fetcher, Offline, Source};
use lattice_runtime::{
    ActorSpec as RuntimeSpec, Interface, Limits as RuntimeLimits, PrepareError, Prepared, Runtime,
    StartError as LinkError,
};

use tracing::warn;

use super::{
    ActorSpec, Needs, Signature,
    dispatch::{HostDispatch, is_linked},
    table::Running,
};
use crate::{
    calls::Remote,
    lattice::Lattice,
    links::Router,
    secrets::{Missing, Secrets},
    trust::Trusting,
};

/// Why an actor does not start. Each text says what mends it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StartError {
    #[error("image {image} cannot be fetched")]
    Fetch { image: String, source: Box<FetchError> },
    #[error("image {image} is refused")]
    Refused { image: String, source: Box<VerifyError> },
    #[error("config {name} does not exist; make it: wash config put {name} KEY=VALUE")]
    NoConfig { name: ConfigName },
    #[error(transparent)]
    NoSecret(Missing),
    #[error(
        "{image} is a provider that is part of the host, not an actor; start it: wash start provider {image} NAME"
    )]
    Builtin { image: String },
    #[error("image {image} cannot be run")]
    Prepare { image: String, source: PrepareError },
    #[error("image {image} cannot be run")]
    Link { image: String, source: LinkError },
    #[error(
        "it asks for {asked} {what}, and this host gives at most {max}; start the host with {flag} {asked}, or ask for less"
    )]
    Limit { what: &'static str, asked: u64, max: u64, flag: &'static str },
    #[error("the check of {image} was cut short: {why}")]
    Broken { image: String, why: String },
}

impl StartError {
    /// The whole story in one line: what happened, every cause, and what mends it.
    pub(crate) fn told(&self) -> String {
        let text = with_causes(self);
        match self {
            StartError::Fetch { source, .. } => format!("{text}. {}", source.remedy()),
            StartError::Refused { source, .. } => format!("{text}; {}", source.remedy()),
            _ => text,
        }
    }

    /// The imports that only links can give, where their lack is all that holds the actor up.
    pub(crate) fn missing_links(&self) -> Option<&[Interface]> {
        match self {
            StartError::Link { source: LinkError::NotLinked { imports, .. }, .. } => Some(imports),
            _ => None,
        }
    }

    /// True if trying again later may help: what is away may come back, and what is not there yet may be pushed or built.
    pub(crate) fn is_transient(&self) -> bool {
        let StartError::Fetch { source, .. } = self else { return false };
        match &**source {
            FetchError::NotFound { .. } => true,
            FetchError::File { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
            other => other.is_retryable(),
        }
    }
}

/// The most an actor may have, and what it gets if it asks for nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DefaultLimits {
    pub(crate) memory_bytes: u64,
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

/// What starting takes.
pub(crate) struct Starter {
    pub(crate) host: HostId,
    pub(crate) runtime: Runtime,
    pub(crate) fetcher: Arc<Fetcher>,
    pub(crate) trust: Trusting,
    pub(crate) allow_unsigned: bool,
    pub(crate) limits: DefaultLimits,
    pub(crate) router: Router,
    pub(crate) remote: Remote,
    pub(crate) lattice: Lattice,
    pub(crate) secrets: Secrets,
    pub(crate) ids: Arc<InvocationIds>,
}

impl Starter {
    /// Fetches, checks, compiles and starts. Cancelled by dropping: nothing of the actor is left then.
    pub(super) async fn start(&self, spec: &ActorSpec) -> Result<Running, StartError> {
        let image = spec.image_text.clone();
        if let ImageRef::Builtin(_) = spec.image {
            return Err(StartError::Builtin { image });
        }
        self.has_what_it_names(spec)?;
        let artifact = self
            .fetcher
            .fetch(&spec.image, Offline::UseCache)
            .await
            .map_err(|source| StartError::Fetch { image: image.clone(), source: Box::new(source) })?;
        if let Source::CacheUnconfirmed { reason } = &artifact.source {
            warn!(actor = %spec.id, image, %reason, "the registry does not answer; what the tag meant last is started");
        }
        let signature = self.check(&image, &artifact).await?;
        let prepared = self
            .runtime
            .prepare(artifact.bytes.clone())
            .await
            .map_err(|source| StartError::Prepare { image: image.clone(), source })?;
        if let Some(claims) = signature.claims() {
            self.lattice.put_claims(claims).await;
        }
        self.launch(spec, prepared, signature, artifact.digest)
    }

    /// Waits until the facts have a link for each of `imports`.
    pub(super) async fn linked(&self, actor: &ActorId, imports: &[Interface]) {
        let mut changed = self.lattice.changed().listen();
        loop {
            changed.borrow_and_update();
            let facts = self.lattice.view();
            if imports.iter().all(|import| is_linked(&facts, actor, import)) {
                return;
            }
            // The signal lives as long as the host does.
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until this host has each of these secrets.
    pub(super) async fn have(&self, names: &[SecretName]) {
        let mut changed = self.lattice.changed().listen();
        loop {
            changed.borrow_and_update();
            if self.secrets.missing(names).is_none() {
                return;
            }
            // The signal lives as long as the host does.
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Starts the bytes that run already under another specification: nothing is fetched, so nothing else can come in.
    pub(super) fn restart(&self, spec: &ActorSpec, running: &Running) -> Result<Running, StartError> {
        self.has_what_it_names(spec)?;
        self.launch(spec, running.prepared.clone(), running.signature.clone(), running.digest.clone())
    }

    fn has_what_it_names(&self, spec: &ActorSpec) -> Result<(), StartError> {
        let known = self.lattice.view();
        if let Some(name) = spec.config.iter().find(|name| !known.configs.contains_key(*name)) {
            return Err(StartError::NoConfig { name: name.clone() });
        }
        match self.secrets.missing(&spec.secrets) {
            Some(missing) => Err(StartError::NoSecret(missing)),
            None => Ok(()),
        }
    }

    fn launch(
        &self,
        spec: &ActorSpec,
        prepared: Prepared,
        signature: Signature,
        digest: String,
    ) -> Result<Running, StartError> {
        // Once more: compiling may have taken its time, and a key that was revoked meanwhile starts nothing.
        if let Some(claims) = signature.claims() {
            self.trust.check(&claims.issuer).map_err(|source| StartError::Refused {
                image: spec.image_text.clone(),
                source: Box::new(source),
            })?;
        }
        let needs: Needs = prepared.needs_links().into_iter().map(|(contract, _)| contract).collect();
        let dispatch = HostDispatch {
            actor: spec.id.clone(),
            host: self.host.clone(),
            config: spec.config.clone(),
            named: spec.secrets.clone(),
            secrets: self.secrets.clone(),
            router: self.router.clone(),
            remote: self.remote.clone(),
            lattice: self.lattice.clone(),
            ids: self.ids.clone(),
        };
        let actor = self
            .runtime
            .start(&prepared, self.runtime_spec(spec)?, Arc::new(dispatch))
            .map_err(|source| StartError::Link { image: spec.image_text.clone(), source })?;
        Ok(Running { actor, signature, needs, digest, prepared })
    }

    /// True if the image of `spec` is there and has other bytes than those of `digest`.
    pub(super) async fn means_other_bytes(&self, spec: &ActorSpec, digest: &str) -> bool {
        match self.fetcher.fetch(&spec.image, Offline::UseCache).await {
            Ok(artifact) => artifact.digest != digest,
            // What runs goes on running; a start would say why it cannot be fetched.
            Err(error) => {
                warn!(actor = %spec.id, image = spec.image_text, %error, "cannot see whether the image has changed");
                false
            }
        }
    }

    /// Hashing megabytes is no work for the threads that serve calls.
    async fn check(&self, image: &str, artifact: &Artifact) -> Result<Signature, StartError> {
        let (bytes, trust) = (artifact.bytes.clone(), self.trust.current().await);
        let now = unix_now();
        let verified = tokio::task::spawn_blocking(move || verify_actor(&bytes, &trust, now))
            .await
            .map_err(|error| StartError::Broken { image: image.to_owned(), why: error.to_string() })?;
        match verified {
            Ok(verified) => Ok(Signature::Trusted(Box::new(verified.claims))),
            Err(VerifyError::Unsigned) if self.allow_unsigned => Ok(Signature::Unsigned),
            Err(source) => Err(StartError::Refused { image: image.to_owned(), source: Box::new(source) }),
        }
    }

    /// The host's defaults, with what the operator set for this actor: never more than the host allows.
    fn runtime_spec(&self, spec: &ActorSpec) -> Result<RuntimeSpec, StartError> {
        let (set, most) = (&spec.limits, &self.limits);
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        for (what, asked, max, flag) in [
            ("bytes of memory", set.memory_bytes, most.memory_bytes, "--max-linear-memory-bytes"),
            ("ms of time", set.wall_ms, ms(most.wall), "--max-execution-time-ms"),
            ("ms of processor time", set.cpu_ms, ms(most.cpu), "--max-cpu-time-ms"),
        ] {
            if let Some(asked) = asked.filter(|asked| *asked > max) {
                return Err(StartError::Limit { what, asked, max, flag });
            }
        }
        let concurrency = NonZeroU32::new(spec.concurrency).unwrap_or(NonZeroU32::MIN);
        Ok(RuntimeSpec {
            id: spec.id.clone(),
            concurrency,
            queue: queue_of(spec.queue, concurrency),
            limits: RuntimeLimits {
                memory_bytes: set.memory_bytes.unwrap_or(most.memory_bytes),
                cpu: set.cpu_ms.map_or(most.cpu, Duration::from_millis),
                wall: set.wall_ms.map_or(most.wall, Duration::from_millis),
                ..RuntimeLimits::default()
            },
            reuse: NonZeroU32::new(spec.reuse).unwrap_or(NonZeroU32::MIN),
        })
    }
}

/// Calls that may wait for a permit: as many as asked for; else enough for a burst, and few enough that the last one is still
/// served in time.
pub(super) fn queue_of(asked: Option<u32>, concurrency: NonZeroU32) -> u32 {
    asked.unwrap_or_else(|| concurrency.get().saturating_mul(4).clamp(64, 4_096))
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
