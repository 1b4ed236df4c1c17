//! The folder: where what stands, and what it says of itself.

use std::path::{Path, PathBuf};

use lattice_claims::{KeyPair, nats::AccountToken};
use lattice_core::LatticeName;
use serde::{Deserialize, Serialize};

use super::keys;
use crate::{
    clock,
    exit::Exit,
    failure::{Failure, Outcome},
    files,
};

/// The most that a token or description is read of.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the NATS is: `nats.json`. Unknown fields are ignored, so that versions meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Its name, and that of its first server.
    pub(crate) name: String,
    /// The JetStream domain of the first server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) domain: Option<String>,
    /// Where the first server listens, `HOST:PORT`.
    pub(crate) listen: String,
    /// Where it listens for the servers of further sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) leaf_listen: Option<String>,
    /// By which name or address others reach it; where it listens if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// The lattice of the first server.
    #[serde(default)]
    pub(crate) lattice: LatticeName,
    /// Whether its hosts take signed commands alone.
    #[serde(default)]
    pub(crate) signed_control: bool,
    /// The public key of the first admin. Here, so that whoever takes the seed away takes nothing from what hosts ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<String>,
    /// Whether it speaks TLS; the files are in the server's folder.
    #[serde(default)]
    pub(crate) tls: bool,
    /// Whether an authority's certificate lies beside them.
    #[serde(default)]
    pub(crate) tls_ca: bool,
}

impl Plan {
    /// The URL for clients.
    pub(crate) fn url(&self) -> String {
        self.url_of(&self.listen, scheme(self.tls))
    }

    /// The URL for the servers of further sites.
    pub(crate) fn leaf_url(&self) -> Option<String> {
        let listen = self.leaf_listen.as_ref()?;
        Some(self.url_of(listen, if self.tls { "tls" } else { "nats-leaf" }))
    }

    fn url_of(&self, listen: &str, scheme: &str) -> String {
        url_of(listen, self.address.as_deref(), scheme)
    }
}

/// How clients come to a server with or without TLS.
pub(super) fn scheme(has_tls: bool) -> &'static str {
    if has_tls { "tls" } else { "nats" }
}

/// Where others reach a server that listens there, by the address that was said of it.
pub(super) fn url_of(listen: &str, address: Option<&str>, scheme: &str) -> String {
    let (host, port) = listen.rsplit_once(':').unwrap_or((listen, "4222"));
    let host = address.unwrap_or(host);
    // Listening everywhere is no address to connect to.
    let host = if matches!(host, "0.0.0.0" | "[::]") { "127.0.0.1" } else { host };
    format!("{scheme}://{host}:{port}")
}

/// The folder, opened, with the right to sign.
#[derive(Debug)]
pub(crate) struct OwnNats {
    pub(super) root: PathBuf,
    pub(crate) plan: Plan,
    pub(super) operator: KeyPair,
    pub(super) system: KeyPair,
    pub(super) account: KeyPair,
}

impl OwnNats {
    /// Opens the folder; none if there is none.
    ///
    /// # Errors
    /// It is there and cannot be used.
    pub(crate) fn open(root: &Path) -> Outcome<Option<OwnNats>> {
        let root = std::path::absolute(root).map_err(|error| cannot("find", root, error))?;
        let file = root.join("nats.json");
        let text = match files::read_text(&file, FILE_BYTES_MAX) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", &file, error)),
        };
        let plan = serde_json::from_str(&text).map_err(|error| {
            Failure::refused(error)
                .context(format!("{} is not what `wash nats init` writes", file.display()))
                .help("put the original back, or make another folder")
        })?;
        let key = |name: &str| keys::load(&root, name);
        let (operator, system, account) = (key("operator")?, key("system")?, key("account")?);
        Ok(Some(OwnNats { root, plan, operator, system, account }))
    }

    /// Opens the folder, which has to be there.
    ///
    /// # Errors
    /// As [`open`](Self::open), and there is none.
    pub(crate) fn require(root: &Path) -> Outcome<OwnNats> {
        OwnNats::open(root)?.ok_or_else(|| {
            let text = format!("{} is no folder of `wash nats init`", root.display());
            Failure::say(Exit::Refused, text)
                .help(format!("make one with `wash nats init {}`, or name another", root.display()))
        })
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the first server.
    pub(crate) fn server(&self) -> PathBuf {
        self.root.join("server")
    }

    /// The folders of further sites.
    pub(crate) fn sites(&self) -> PathBuf {
        self.root.join("sites")
    }

    /// The operator's token.
    pub(crate) fn operator_token(&self) -> Outcome<String> {
        self.token("operator")
    }

    /// The key and token of the system account.
    pub(crate) fn system_account(&self) -> Outcome<(String, String)> {
        Ok((self.system.public_key().to_string(), self.token("system")?))
    }

    /// The key and token of the account of all lattices.
    pub(crate) fn account(&self) -> Outcome<(String, String)> {
        Ok((self.account.public_key().to_string(), self.token("account")?))
    }

    /// What the account's token says.
    pub(crate) fn account_token(&self) -> Outcome<AccountToken> {
        let file = self.token_file("account");
        AccountToken::read(&self.token("account")?)
            .map_err(|error| Failure::refused(error).context(format!("cannot use {}", file.display())))
    }

    /// Signs what the account's token says from now on, and keeps it. It is newer than the one before, whatever the clock says.
    pub(super) fn sign_account(&self, mut token: AccountToken) -> Outcome {
        token.issued = clock::now().max(token.issued + 1);
        let signed = token.sign(&self.operator).map_err(Failure::refused)?;
        files::write_private(&self.token_file("account"), signed.as_bytes())
    }

    pub(super) fn token_file(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.jwt"))
    }

    fn token(&self, name: &str) -> Outcome<String> {
        let file = self.token_file(name);
        let text = files::read_text(&file, FILE_BYTES_MAX).map_err(|error| cannot("read", &file, error))?;
        Ok(text.trim().to_owned())
    }
}

/// What could not be done with which file.
pub(super) fn cannot(what: &str, file: &Path, error: std::io::Error) -> Failure {
    let remedy = match error.kind() {
        std::io::ErrorKind::NotFound => "put it back from a copy of the folder, or make another folder",
        _ => "make it readable and writable for you, or name another folder",
    };
    Failure::refused(error).context(format!("cannot {what} {}", file.display())).help(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_others_reach_it() {
        let mut plan = Plan {
            name: "hub".into(),
            domain: None,
            listen: "0.0.0.0:4333".into(),
            leaf_listen: Some("0.0.0.0:7422".into()),
            address: None,
            lattice: LatticeName::default(),
            signed_control: true,
            admin: None,
            tls: false,
            tls_ca: false,
        };
        assert_eq!(plan.url(), "nats://127.0.0.1:4333");
        plan.address = Some("nats.example.com".into());
        assert_eq!(plan.url(), "nats://nats.example.com:4333");
        assert_eq!(plan.leaf_url().unwrap(), "nats-leaf://nats.example.com:7422");
        plan.tls = true;
        assert_eq!(plan.leaf_url().unwrap(), "tls://nats.example.com:7422");
    }
}
