//! Why nothing could be fetched or pushed, and what to do about it.

use std::{path::PathBuf, sync::Arc, time::Duration};

/// Why an artifact could not be fetched or pushed. Cheap to clone: one download may have many waiting for it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The registry knows no such image.
    #[error("{image} is not in the registry {registry}")]
    NotFound {
        /// The reference.
        image: String,
        /// The registry.
        registry: String,
    },
    /// The registry wants to know who asks, or that user may not.
    #[error("the registry {registry} refuses {image}: {reason}")]
    Unauthorized {
        /// The registry.
        registry: String,
        /// The reference.
        image: String,
        /// What it said.
        reason: String,
    },
    /// No encrypted connection could be made.
    #[error("no secure connection to the registry {registry}: {reason}")]
    Insecure {
        /// The registry.
        registry: String,
        /// What TLS said.
        reason: String,
    },
    /// The registry sent other bytes than it, or the reference, promised.
    #[error("{image}: the {part} has the digest {actual}, where {expected} was promised")]
    DigestMismatch {
        /// The reference.
        image: String,
        /// Manifest or layer.
        part: &'static str,
        /// The promised digest.
        expected: String,
        /// The digest of what came.
        actual: String,
    },
    /// More bytes than allowed.
    #[error("{what} has more than {bytes_max} bytes, which is the limit")]
    TooLarge {
        /// The reference, or the part of an answer.
        what: String,
        /// The limit.
        bytes_max: u64,
    },
    /// The image holds something else than actors and providers.
    #[error("{image} holds {media_type:?}, which is neither an actor nor a provider")]
    UnsupportedMediaType {
        /// The reference.
        image: String,
        /// What it says it is.
        media_type: String,
    },
    /// An actor or provider is one layer.
    #[error("{image} has {layers} layers, where an actor or provider has one")]
    Layers {
        /// The reference.
        image: String,
        /// How many.
        layers: usize,
    },
    /// The manifest makes no sense.
    #[error("the manifest of {image} is unusable: {reason}")]
    BadManifest {
        /// The reference.
        image: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The registry does not answer.
    #[error("the registry {registry} cannot be reached: {reason}")]
    Unreachable {
        /// The registry.
        registry: String,
        /// Why.
        reason: String,
    },
    /// It took too long.
    #[error("the registry {registry} was not done with {image} after {after:?}")]
    Timeout {
        /// The registry.
        registry: String,
        /// The reference.
        image: String,
        /// The limit.
        after: Duration,
    },
    /// The registry answered with a failure of its own.
    #[error("the registry {registry} answered {status} for {image}: {reason}")]
    Registry {
        /// The registry.
        registry: String,
        /// The reference.
        image: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Files may not be used here.
    #[error("{} is a file, and this host loads no files", path.display())]
    FileRefused {
        /// Which.
        path: PathBuf,
    },
    /// The file is something else than an actor or provider.
    #[error("{what} is neither WebAssembly nor a provider archive: it begins with {begins}")]
    NotAnArtifact {
        /// The reference or path.
        what: String,
        /// Its first bytes, readable.
        begins: String,
    },
    /// `latest` means something else every day.
    #[error("{image} names no fixed version ({given})")]
    LatestRefused {
        /// The reference.
        image: String,
        /// `the tag latest` or `no tag`.
        given: &'static str,
    },
    /// A built-in provider has no bytes.
    #[error("{image} is part of the host; there is nothing to fetch")]
    Builtin {
        /// The reference.
        image: String,
    },
    /// Pushed to a digest that the content does not have.
    #[error(
        "{image} cannot be pushed to: the reference asks for the digest {wanted}, and what would be pushed has {made}"
    )]
    OtherDigest {
        /// The reference.
        image: String,
        /// The digest in it.
        wanted: String,
        /// What follows from the content.
        made: String,
    },
    /// Only registries can be pushed to.
    #[error("{image} cannot be pushed to: {reason}")]
    NotPushable {
        /// The reference.
        image: String,
        /// Why.
        reason: &'static str,
    },
    /// Docker's configuration or a credential helper is broken.
    #[error("the credentials for {registry} cannot be had from {from}: {reason}")]
    Credentials {
        /// The registry.
        registry: String,
        /// The file or program.
        from: String,
        /// What is wrong.
        reason: String,
    },
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be set up: {reason}")]
    Setup {
        /// Why.
        reason: String,
    },
}

impl FetchError {
    /// What to do next, in one or two sentences with the flags to type. Empty where only the text above helps.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            FetchError::NotFound { image, .. } => {
                format!("Check the name and tag, or push it: wash reg push {image} FILE")
            }
            FetchError::Unauthorized { registry, .. } => format!(
                "Give credentials: docker login {registry}, or wash reg pull --user NAME --password PASSWORD. \
                 Many registries also answer this for images that do not exist."
            ),
            FetchError::Insecure { registry, .. } => format!(
                "If this registry speaks plain HTTP, allow it: wash … --insecure, or for a host --allowed-insecure \
                 {registry}. If its certificate is of your own authority, add that to the system's certificates."
            ),
            FetchError::DigestMismatch { .. } => {
                "Somebody changed it on the way or in the registry: do not use it. Push it again from the source."
                    .to_owned()
            }
            FetchError::TooLarge { .. } => "Make it smaller (cargo build --release), or raise the limit of the host: --max-component-size-bytes.".to_owned(),
            FetchError::UnsupportedMediaType { .. } | FetchError::Layers { .. } => {
                "Container images do not run here. Push a .wasm or .par.gz file with wash reg push.".to_owned()
            }
            FetchError::BadManifest { .. } => "Push it again with wash reg push.".to_owned(),
            FetchError::Unreachable { registry, .. } => {
                format!("Is the registry up, and is {registry} the right address? Trying again later may help.")
            }
            FetchError::Timeout { .. } | FetchError::Registry { .. } => "Trying again later may help.".to_owned(),
            FetchError::File { .. } => {
                "Check the path; paths in a manifest are relative to the manifest.".to_owned()
            }
            FetchError::FileRefused { .. } => {
                "Push it to a registry: wash reg push REFERENCE FILE.".to_owned()
            }
            FetchError::NotAnArtifact { .. } => {
                "Build it for WebAssembly first, as: cargo build --target wasm32-wasip2 --release".to_owned()
            }
            FetchError::LatestRefused { .. } => {
                "Name a version, as :0.1.0, or a digest; --allow-latest allows it all the same.".to_owned()
            }
            FetchError::Credentials { .. } => {
                "Mend it, or log in again with docker login; --user and --password go before it.".to_owned()
            }
            FetchError::NotPushable { .. } => "Write host[:port]/repository:tag.".to_owned(),
            FetchError::OtherDigest { .. } => {
                "Push it to a tag; or take the same file, annotations, author, config and --created as what has that digest."
                    .to_owned()
            }
            FetchError::Builtin { image } => {
                format!("It is part of every host; start it: wash start provider {image} NAME")
            }
            FetchError::Setup { .. } => String::new(),
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            FetchError::Unreachable { .. } | FetchError::Timeout { .. } => true,
            FetchError::Registry { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }
}
