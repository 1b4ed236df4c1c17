//! The credentials of the NATS server that `wash up` keeps in the same data folder: a further `wasmcloud` on the machine finds
//! them by itself.

use std::path::{Path, PathBuf};

use lattice_core::LatticeName;
use tracing::info;

/// The host's credentials for `lattice` at the first of `servers`, if that is one of this machine which `wash up` started.
pub(super) fn of_wash_up(data: &Path, servers: &str, lattice: &LatticeName) -> Option<PathBuf> {
    let port = port_here(servers)?;
    let users = data.join("nats").join(port.to_string()).join("closed/users");
    let own = users.join(format!("host-{lattice}.creds"));
    // Those of the lattice `default` are called just so.
    let usual = Some(users.join("host.creds")).filter(|_| *lattice == LatticeName::default());
    let found = usual.into_iter().chain([own]).find(|file| file.is_file())?;
    info!(file = %found.display(), "using the credentials that `wash up` made");
    Some(found)
}

/// The port of the first server, if it is on this machine and no user is named for it.
fn port_here(servers: &str) -> Option<u16> {
    let first = servers.split(',').next()?.trim();
    let address = first.strip_prefix("nats://").unwrap_or(first).trim_end_matches('/');
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "4222"));
    matches!(host, "127.0.0.1" | "localhost" | "[::1]").then(|| port.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_for_servers_of_this_machine_and_only_where_they_are() {
        let data = tempfile::tempdir().unwrap();
        let users = data.path().join("nats/4333/closed/users");
        std::fs::create_dir_all(&users).unwrap();
        for name in ["host.creds", "host-shop.creds"] {
            std::fs::write(users.join(name), "").unwrap();
        }
        let found = |servers: &str, lattice: &str| {
            let file = of_wash_up(data.path(), servers, &LatticeName::new(lattice).unwrap())?;
            Some(file.file_name()?.to_str()?.to_owned())
        };
        assert_eq!(found("nats://127.0.0.1:4333", "default").as_deref(), Some("host.creds"));
        assert_eq!(found("localhost:4333,nats://b:1", "shop").as_deref(), Some("host-shop.creds"));
        for (servers, lattice) in [
            ("nats://127.0.0.1:4333", "other"),
            ("nats://127.0.0.1:4222", "default"),
            ("nats://broker:4333", "default"),
            ("nats://anna:x@127.0.0.1:4333", "default"),
            ("tls://127.0.0.1:4333", "default"),
        ] {
            assert_eq!(found(servers, lattice), None, "{servers} {lattice}");
        }
    }
}
