//! Image reference → verified bytes, and bytes → registry.
//!
//! A [`Fetcher`] takes an [`ImageRef`](lattice_core::ImageRef) and gives an [`Artifact`]: an actor or a provider archive whose
//! digest is the one the registry, or the reference itself, promised. Whether its *claims* are good is not decided here.
//! Everything that comes from outside is bounded (bytes, time, redirects), and what was fetched once is kept on disk under
//! its digest, doubted again each time it is read.
//!
//! A process that fetches over HTTPS installs rustls' `ring` provider first, as every `main` of this project does.

mod artifact;
mod authority;
mod cache;
mod config;
mod credentials;
mod dirs;
mod error;
mod fetch;
mod file;
mod flight;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod manifest;
mod oci;
mod push;
mod session;
mod token;

pub use artifact::{Artifact, Kind, Source};
pub use cache::{Cache, Emptied};
pub use config::{Credentials, FetchConfig, Offline, Secret};
pub use dirs::{cache_dir, code_cache_dir, oci_cache_dir};
pub use error::FetchError;
pub use fetch::Fetcher;
pub use push::{PushOptions, Pushed};
