//! What one server needs, in a folder that may be copied to its machine.

use std::path::{Path, PathBuf};

use lattice_core::LatticeName;
use serde::{Deserialize, Serialize};

use super::folder::{FILE_BYTES_MAX, cannot};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    files,
};

/// The file with a [`ServerFolder`]'s description.
pub(super) const ABOUT: &str = "server.json";
/// The file with the server's configuration.
pub(super) const CONFIG: &str = "nats-server.conf";
/// The credentials of the host, of whoever steers, and of the leaf connection.
pub(super) const HOST: &str = "host.creds";
pub(super) const OPERATOR: &str = "operator.creds";
pub(super) const LEAF: &str = "leaf.creds";
/// The key that signs what is commanded.
pub(super) const ADMIN: &str = "admin.nk";
/// The files for TLS: certificate, key, and the authority that clients trust; the one that the first server's certificate is
/// checked by, when another joins it, has a file of its own.
pub(super) const CERT: &str = "cert.pem";
pub(super) const KEY: &str = "key.pem";
pub(super) const CA: &str = "ca.pem";
pub(super) const LEAF_CA: &str = "leaf-ca.pem";

/// What a server's folder says of itself: `server.json`. Unknown fields are ignored, so that versions meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    /// The server's name, and its JetStream domain.
    pub(crate) name: String,
    /// Where it listens, `HOST:PORT`.
    pub(crate) listen: String,
    /// Where clients reach it.
    pub(crate) url: String,
    /// The lattice of its hosts.
    #[serde(default)]
    pub(crate) lattice: LatticeName,
    /// The user keys whose commands its hosts take, and no others; empty where they take whatever comes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) admins: Vec<String>,
    /// Whether it speaks TLS.
    #[serde(default)]
    pub(crate) tls: bool,
    /// Whether there is a certificate of an authority to trust.
    #[serde(default)]
    pub(crate) tls_ca: bool,
}

/// A server's folder.
#[derive(Debug, Clone)]
pub(crate) struct ServerFolder {
    dir: PathBuf,
    pub(crate) about: About,
}

impl ServerFolder {
    /// The server's folder that `given` is, or that is in it.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub(crate) fn find(given: &Path) -> Outcome<ServerFolder> {
        let given = std::path::absolute(given).map_err(|error| cannot("find", given, error))?;
        for dir in [given.clone(), given.join("server")] {
            let file = dir.join(ABOUT);
            match files::read_text(&file, FILE_BYTES_MAX) {
                Ok(text) => {
                    let about = serde_json::from_str(&text).map_err(|error| {
                        Failure::refused(error)
                            .context(format!("{} is not what `wash nats init` writes", file.display()))
                    })?;
                    return Ok(ServerFolder { dir, about });
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(cannot("read", &file, error)),
            }
        }
        let text =
            format!("{} is neither a folder of `wash nats init`, nor of a server in one", given.display());
        Err(Failure::say(Exit::Refused, text)
            .help(format!("make it with `wash nats init {}`, or name another", given.display())))
    }

    /// The folder itself, from where its server is started.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The server's configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join(CONFIG)
    }

    /// The credentials for hosts.
    pub(crate) fn host_creds(&self) -> PathBuf {
        self.dir.join(HOST)
    }

    /// The credentials of whoever steers.
    pub(crate) fn operator_creds(&self) -> PathBuf {
        self.dir.join(OPERATOR)
    }

    /// The key that signs what is commanded, if there is one.
    pub(crate) fn admin_key(&self) -> Option<PathBuf> {
        Some(self.dir.join(ADMIN)).filter(|file| file.is_file())
    }

    /// The certificate to trust.
    pub(crate) fn ca(&self) -> Option<PathBuf> {
        self.about.tls_ca.then(|| self.dir.join(CA))
    }

    /// The port that it listens on.
    ///
    /// # Errors
    /// Its description names none.
    pub(crate) fn port(&self) -> Outcome<u16> {
        let port = self.about.listen.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        port.ok_or_else(|| {
            let text = format!("{} names no port: {}", self.dir.join(ABOUT).display(), self.about.listen);
            Failure::say(Exit::Refused, text).help("write listen as HOST:PORT")
        })
    }
}
