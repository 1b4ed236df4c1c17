//! References on the command line: files and images of registries, fetched under the same flags everywhere.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use lattice_core::ImageRef;
use lattice_registry::{
    Artifact, Credentials, FetchConfig, FetchError, Fetcher, Offline, Secret, cache_dir, oci_cache_dir,
};

use crate::{
    failure::{Failure, Outcome},
    output::Output,
};

/// How to speak to a registry.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Registry")]
pub(crate) struct RegistryArgs {
    /// User of the registry; else docker's configuration is asked
    #[arg(short, long, env = "WASH_REG_USER", requires = "password")]
    user: Option<String>,
    /// Password of the user
    #[arg(short, long, env = "WASH_REG_PASSWORD", requires = "user", hide_env_values = true)]
    password: Option<String>,
    /// Speak plain HTTP to this registry; registries on localhost always are
    #[arg(long, env = "WASH_REG_INSECURE")]
    insecure: bool,
    /// Take the tag latest, or none, for an answer
    #[arg(long)]
    allow_latest: bool,
    /// How long all of it may take
    #[arg(long, value_name = "MS", env = "WASH_REG_TIMEOUT_MS", default_value_t = 300_000,
          value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    registry_timeout_ms: u64,
}

/// Where pulled artifacts and compiled code are kept.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CacheArgs {
    /// Folder of the caches [default: $XDG_CACHE_HOME/wasmcloud or ~/.cache/wasmcloud]
    #[arg(long, env = "WASMCLOUD_CACHE_DIR", value_name = "DIR")]
    cache_dir: Option<PathBuf>,
}

impl CacheArgs {
    /// The cache of artifacts, the same that hosts use.
    pub(crate) fn oci(&self) -> Option<PathBuf> {
        self.cache_dir.as_ref().map(|dir| dir.join("oci")).or_else(oci_cache_dir)
    }

    /// The cache of compiled code.
    pub(crate) fn code(&self) -> Option<PathBuf> {
        self.cache_dir.clone().or_else(cache_dir).map(|dir| dir.join("code"))
    }
}

impl RegistryArgs {
    /// A fetcher for `image`.
    ///
    /// # Errors
    /// It could not be set up.
    pub(crate) fn fetcher(&self, image: &ImageRef, cache: &CacheArgs) -> Outcome<Fetcher> {
        let credentials = match (&self.user, &self.password) {
            (Some(user), Some(password)) => {
                Some(Credentials { registry: None, user: user.clone(), password: Secret::new(password) })
            }
            _ => None,
        };
        let allowed_insecure = match image {
            ImageRef::Oci(image) if self.insecure => vec![image.registry.clone()],
            _ => Vec::new(),
        };
        let config = FetchConfig {
            cache_dir: cache.oci(),
            allowed_insecure,
            allow_latest: self.allow_latest,
            credentials,
            timeout: Duration::from_millis(self.registry_timeout_ms),
            ..FetchConfig::default()
        };
        Fetcher::new(config).map_err(failure)
    }

    /// The artifact that `text` means.
    ///
    /// # Errors
    /// It is no reference; it cannot be fetched.
    ///
    /// # Cancellation
    /// Dropping the future ends the download.
    pub(crate) async fn fetch(&self, text: &str, cache: &CacheArgs, out: &Output) -> Outcome<Artifact> {
        let image = parse(text)?;
        let fetcher = self.fetcher(&image, cache)?;
        let _progress = matches!(image, ImageRef::Oci(_)).then(|| out.progress(format!("Pulling {image}")));
        fetcher.fetch(&image, Offline::Refuse).await.map_err(failure)
    }
}

/// Reads a file that has to be on this machine.
///
/// # Errors
/// It cannot be read, is too large, or neither WebAssembly nor an archive.
pub(crate) async fn read_file(path: &Path) -> Outcome<Artifact> {
    let fetcher = Fetcher::new(FetchConfig::default()).map_err(failure)?;
    fetcher.fetch(&ImageRef::File(path.to_owned()), Offline::Refuse).await.map_err(failure)
}

/// A reference, or a file of whatever name that is there.
///
/// # Errors
/// It is neither; exit code 2.
pub(crate) fn parse(text: &str) -> Outcome<ImageRef> {
    match text.parse() {
        Ok(image) => Ok(image),
        Err(_) if Path::new(text).is_file() => Ok(ImageRef::File(PathBuf::from(text))),
        Err(error) => Err(Failure::usage(error)),
    }
}

/// With the exit code and the remedy.
pub(crate) fn failure(error: FetchError) -> Failure {
    let remedy = remedy(&error);
    let failure = if error.is_retryable() { Failure::unreachable(error) } else { Failure::refused(error) };
    failure.help(remedy)
}

/// What to do about it. The library speaks of manifests and of hosts too, and on a command line neither is meant.
pub(crate) fn remedy(error: &FetchError) -> String {
    match error {
        FetchError::File { .. } => "Check the path, and that you may read the file.".to_owned(),
        FetchError::TooLarge { .. } => "Make it smaller (cargo build --release).".to_owned(),
        _ => error.remedy(),
    }
}
