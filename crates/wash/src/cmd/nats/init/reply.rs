//! What was made, and what to do with it.

use std::path::PathBuf;

use serde::Serialize;

use crate::output::Reply;

#[derive(Debug, Serialize)]
pub(super) struct Made {
    pub(super) directory: PathBuf,
    pub(super) server: PathBuf,
    pub(super) url: String,
    /// Whether the first server was made now.
    pub(super) made: bool,
    /// Whose commands hosts take, where they have to be signed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) admins: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) site: Option<Site>,
    #[serde(skip)]
    pub(super) reach: Reached,
}

#[derive(Debug, Serialize)]
pub(super) struct Site {
    pub(super) name: String,
    pub(super) lattice: String,
    pub(super) url: String,
    pub(super) directory: PathBuf,
    #[serde(skip)]
    pub(super) reach: Reached,
}

/// How others come to a server, as far as it needs a word.
#[derive(Debug)]
pub(super) struct Reached {
    /// Beyond this machine, and without TLS.
    pub(super) is_plain: bool,
    /// Beyond this machine, by an address that nobody said.
    pub(super) is_nameless: bool,
}

impl Reached {
    /// By what a server is told.
    pub(super) fn of(listen: &str, has_tls: bool, has_address: bool) -> Reached {
        let is_loopback = ["127.", "localhost:", "[::1]:"].iter().any(|prefix| listen.starts_with(prefix));
        let is_everywhere = ["0.0.0.0:", "[::]:"].iter().any(|prefix| listen.starts_with(prefix));
        Reached { is_plain: !has_tls && !is_loopback, is_nameless: is_everywhere && !has_address }
    }

    /// What to be warned of; the flags of a site begin with `--site-`.
    fn warnings(&self, which: &str, flags: &str) -> Vec<String> {
        let nameless = self.is_nameless.then(|| {
            format!(
                "\nothers reach {which} by an address that its folders do not know, and would be sent to 127.0.0.1: give {flags}address HOST"
            )
        });
        let plain = self.is_plain.then(|| {
            format!(
                "\nothers reach {which} without TLS: passwords are never sent, but all else can be read on the way. Give \
                 {flags}tls-cert and {flags}tls-key, or keep the network private"
            )
        });
        nameless.into_iter().chain(plain).collect()
    }
}

impl Reply for Made {
    fn text(&self) -> String {
        let (dir, server) = (self.directory.display(), self.server.display());
        let mut lines = Vec::new();
        if self.made {
            lines.extend([
                format!("made {dir}: operator, accounts and users of a NATS server at {}", self.url),
                String::new(),
                format!("  {server}   what the server needs; copy it whole to the server's machine, or start it here:"),
                format!("      wash up --nats-dir {dir}      with a host"),
                format!("      (cd {server} && nats-server -c nats-server.conf)"),
                format!("  {dir}/users/operator.creds   steers every lattice there: wash ctx new NAME --nats-url {} --credsfile FILE", self.url),
                format!("  {dir}/users/host.creds       for hosts: wasmcloud --nats-url {} --nats-creds FILE", self.url),
                format!("  {dir}/keys                   signs users; belongs on no server, and into a backup"),
            ]);
            if let [admin, ..] = self.admins.as_slice() {
                lines.extend([
                    format!("  {dir}/keys/admin.nk          signs what you command; other hosts take nothing else if you start them with"),
                    format!("      wasmcloud --require-signed-control --admin {admin} …"),
                ]);
            }
        }
        lines.extend(self.site.iter().flat_map(Site::lines));
        if self.made {
            lines.extend(self.reach.warnings("this server", "--"));
        }
        if let Some(site) = &self.site {
            lines.extend(site.reach.warnings(&format!("the server of site {}", site.name), "--site-"));
        }
        lines.join("\n")
    }
}

impl Site {
    fn lines(&self) -> [String; 5] {
        let folder = self.directory.display();
        [
            format!("made site {}, with a lattice {} of its own, at {}", self.name, self.lattice, self.url),
            String::new(),
            format!("  {folder}   copy it whole to the site, and start it there:"),
            format!("      wash up --nats-dir {}      with a host", self.name),
            format!("      (cd {} && nats-server -c nats-server.conf)", self.name),
        ]
    }
}
