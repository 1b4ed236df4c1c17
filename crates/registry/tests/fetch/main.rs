//! The fetcher against a real registry, and against servers that lie, stall, ask for tokens or do not speak TLS.

#![allow(clippy::unwrap_used, reason = "the helpers of tests, which may panic")]

mod fake;
mod lies;
mod logins;
mod reach;
mod real;

use std::{path::Path, time::Duration};

use bytes::Bytes;
use lattice_core::ImageRef;
use lattice_registry::{FetchConfig, Fetcher};

/// The smallest component.
const ACTOR: &[u8] = b"\0asm\x0d\0\x01\0";

fn image(text: &str) -> ImageRef {
    text.parse().unwrap()
}

fn actor() -> Bytes {
    Bytes::from_static(ACTOR)
}

/// Without the configuration and cache of whoever runs the test.
fn config() -> FetchConfig {
    // The error means that another test of this process was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    FetchConfig { docker_config: None, timeout: Duration::from_secs(30), ..FetchConfig::default() }
}

fn cached_in(dir: &Path) -> FetchConfig {
    FetchConfig { cache_dir: Some(dir.to_owned()), ..config() }
}

fn fetcher(config: FetchConfig) -> Fetcher {
    Fetcher::new(config).unwrap()
}
