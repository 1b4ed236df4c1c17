//! The OCI registry that tests push to.

use std::path::PathBuf;

use super::{Tools, fetch, on_path};
use crate::TestkitError;

pub(super) fn find(tools: &Tools, say: &mut dyn FnMut(&str)) -> Result<PathBuf, TestkitError> {
    const NAME: &str = "docker-registry";
    match on_path(NAME) {
        Some(found) => Ok(found),
        None => tools.fetched(NAME, "usr/bin/docker-registry", say, |folder| fetch::unpack_deb(NAME, folder)),
    }
}
