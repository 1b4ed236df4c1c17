//! Where things are kept, decided once for the host and `wash`.

use std::{env, path::PathBuf};

/// The folder of all caches: `$XDG_CACHE_HOME/wasmcloud`, else `~/.cache/wasmcloud`. None without a home.
#[must_use]
pub fn cache_dir() -> Option<PathBuf> {
    cache_dir_from(path("XDG_CACHE_HOME"), path("HOME"))
}

/// The folder of the artifacts that were pulled.
#[must_use]
pub fn oci_cache_dir() -> Option<PathBuf> {
    cache_dir().map(|dir| dir.join("oci"))
}

/// The folder of compiled code.
#[must_use]
pub fn code_cache_dir() -> Option<PathBuf> {
    cache_dir().map(|dir| dir.join("code"))
}

/// `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
pub(crate) fn docker_config() -> Option<PathBuf> {
    path("DOCKER_CONFIG")
        .or_else(|| path("HOME").map(|home| home.join(".docker")))
        .map(|dir| dir.join("config.json"))
}

pub(crate) fn home() -> Option<PathBuf> {
    path("HOME")
}

/// The XDG rules say that a relative path there is to be ignored.
fn cache_dir_from(xdg: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    xdg.filter(|path| path.is_absolute())
        .or_else(|| home.map(|home| home.join(".cache")))
        .map(|dir| dir.join("wasmcloud"))
}

fn path(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xdg_first_and_only_when_absolute() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(cache_dir_from(path("/x"), path("/h")), path("/x/wasmcloud"));
        assert_eq!(cache_dir_from(path("x"), path("/h")), path("/h/.cache/wasmcloud"));
        assert_eq!(cache_dir_from(None, None), None);
    }
}
