//! What provider processes of this host do not see, and what an operator should know of that.

use std::path::{Path, PathBuf};

use crate::{
    config::HostConfig,
    providers::{Confinement, Lacks, what_kernel_lacks},
};

/// The files that make this host what it is, and those of whoever steers from here; none where processes see all.
pub(super) fn confinement(config: &HostConfig) -> Option<Confinement> {
    if config.unconfined_providers {
        return None;
    }
    let nats = &config.nats;
    let own = [config.data_dir.clone(), config.cache_dir.clone()];
    let named = nats.nats_creds.iter().chain(&nats.provider_signing_key);
    let beside = nats.nats_creds.as_deref().map(folder_of);
    let hide = own.into_iter().chain(named.cloned()).chain(of_people()).chain(config.hide.clone());
    Some(Confinement::hiding(hide, beside, nats.nats_tls_ca_file.clone()))
}

/// Where the host's credentials lie, and those of others may.
fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Where `wash` and container tools keep keys, credentials and contexts.
fn of_people() -> impl Iterator<Item = PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = |path: &str| named("HOME").map(|home| home.join(path));
    let contexts = named("XDG_CONFIG_HOME").map(|config| config.join("wash"));
    let docker = named("DOCKER_CONFIG").or_else(|| home(".docker"));
    let keys = [named("WASH_KEYS"), named("WASH_CONTEXTS")];
    keys.into_iter().chain([home(".wash"), home(".config/wash"), contexts, docker]).flatten()
}

/// What is not kept from provider processes.
pub(super) fn notice(config: &HostConfig) -> Option<String> {
    let sees = "provider processes see the files of this host, its keys and credentials among them";
    if config.unconfined_providers {
        return Some(format!("{sees} (--unconfined-providers)"));
    }
    Some(match what_kernel_lacks()? {
        Lacks::Everything => {
            format!("{sees}, since this kernel has no Landlock (Linux 5.13 and later, where it is switched on)")
        }
        Lacks::TruncationAndSignals => {
            "provider processes can empty the files of this host, which they do not see, and send it signals: kernels before Linux 6.2 \
             cannot keep them from it"
                .to_owned()
        }
        Lacks::Signals => {
            "provider processes can send this host signals: kernels before Linux 6.12 cannot keep them from it".to_owned()
        }
    })
}
