//! The fetcher: which way a reference goes.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use lattice_core::{ImageRef, OciRef};

use crate::{
    Artifact, Cache, FetchConfig, FetchError, Offline, PushOptions, Pushed, file, flight::Flights, oci, push,
    session,
};

/// Fetches actors and providers. Cheap to clone; clones share downloads, connections and cache.
#[derive(Clone)]
pub struct Fetcher {
    shared: Arc<Shared>,
    flights: Flights,
}

pub(crate) struct Shared {
    pub(crate) config: FetchConfig,
    pub(crate) cache: Option<Cache>,
    pub(crate) client: reqwest::Client,
}

impl Fetcher {
    /// A fetcher. Nothing is contacted and nothing written yet.
    ///
    /// # Errors
    /// `Setup` when the process has installed no TLS provider, or the system's certificates cannot be read.
    pub fn new(config: FetchConfig) -> Result<Fetcher, FetchError> {
        let client = session::client(&config)?;
        let cache = config.cache_dir.as_ref().map(|dir| Cache::new(dir, config.cache_bytes_max));
        let shared = Arc::new(Shared { config, cache, client });
        Ok(Fetcher { shared, flights: Flights::default() })
    }

    /// The artifact that `image` means, its digest checked.
    ///
    /// Several calls for the same reference at once make one download. Takes at most the configured time and memory.
    ///
    /// # Errors
    /// See [`FetchError`], each with its remedy.
    ///
    /// # Cancellation
    /// Dropping the future ends the download, unless others wait for it too.
    pub async fn fetch(&self, image: &ImageRef, offline: Offline) -> Result<Artifact, FetchError> {
        match image {
            ImageRef::Oci(oci) => self.fetch_oci(oci, offline).await,
            ImageRef::File(path) => {
                let (shared, path) = (self.shared.clone(), path.clone());
                off_thread(move || file::fetch(&path, &shared.config)).await?
            }
            other => Err(FetchError::Builtin { image: other.to_string() }),
        }
    }

    /// Pushes a file to `image`, which needs a tag: WebAssembly as an actor, archives as a provider.
    ///
    /// # Errors
    /// See [`FetchError`].
    ///
    /// # Cancellation
    /// Dropping the future ends the upload. The tag moves last, so a half-done push is not seen.
    pub async fn push(
        &self,
        image: &ImageRef,
        bytes: Bytes,
        options: PushOptions,
    ) -> Result<Pushed, FetchError> {
        push::push(&self.shared, image, bytes, options).await
    }

    async fn fetch_oci(&self, image: &OciRef, offline: Offline) -> Result<Artifact, FetchError> {
        let image = oci::fixed(image, self.shared.config.allow_latest)?;
        let key = format!("{image} {offline:?}");
        self.flights
            .join(key, || {
                let shared = self.shared.clone();
                async move { oci::fetch(&shared, &image, offline).await }
            })
            .await
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

/// Runs what blocks on a thread for that.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, FetchError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| FetchError::Setup { reason: format!("file work was cut off: {error}") })
}
