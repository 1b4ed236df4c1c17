//! The flags about the first server.

use std::path::{Path, PathBuf};

use lattice_core::{EntityId, LatticeName};

use super::address;
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    own_nats::{OwnNats, Plan, TlsGiven, make},
};

/// The folder's own name where nothing else is given.
const NAME: &str = "hub";
const LISTEN: &str = "127.0.0.1:4222";
const LEAF_LISTEN: &str = "127.0.0.1:7422";

/// The first server. What is not given has its default here and not in clap: so it is known what was given.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The first server")]
pub(super) struct First {
    /// Its name, and its JetStream domain [default: hub]
    #[arg(long)]
    name: Option<EntityId>,
    /// Where it listens for clients [default: 127.0.0.1:4222]
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    listen: Option<String>,
    /// Where it listens for the servers of further sites [default: 127.0.0.1:7422]
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    leaf_listen: Option<String>,
    /// Name or address by which others reach it [default: where it listens]
    #[arg(long, value_name = "HOST")]
    address: Option<String>,
    /// Let hosts take commands that nobody signed, from whoever has the credentials
    #[arg(long)]
    unsigned_control: bool,
    /// Its certificate (PEM): all who connect then speak TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The authority (PEM) that vouches for the certificate, if it is a private one
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_ca: Option<PathBuf>,
}

impl First {
    /// Makes the folder with the first server.
    pub(super) fn make(self, dir: &Path, lattice: Option<&LatticeName>) -> Outcome<OwnNats> {
        let name = self.name.map_or_else(|| NAME.to_owned(), |name| name.to_string());
        let plan = Plan {
            domain: Some(name.clone()),
            name,
            listen: self.listen.unwrap_or_else(|| LISTEN.to_owned()),
            leaf_listen: Some(self.leaf_listen.unwrap_or_else(|| LEAF_LISTEN.to_owned())),
            address: self.address,
            lattice: lattice.cloned().unwrap_or_default(),
            signed_control: !self.unsigned_control,
            admin: None,
            tls: self.tls_cert.is_some(),
            tls_ca: self.tls_ca.is_some(),
        };
        let tls = TlsGiven { cert: self.tls_cert, key: self.tls_key, ca: self.tls_ca };
        make(dir, plan, &tls)?.ok_or_else(|| {
            Failure::say(Exit::Refused, format!("{} was made by somebody else meanwhile", dir.display()))
        })
    }

    /// Refuses whatever is given of it, where it is there already and only a site is made.
    pub(super) fn must_be_empty(&self, own: &OwnNats) -> Outcome {
        let given = [
            ("--name", self.name.is_some(), "a site is called as --site says"),
            ("--listen", self.listen.is_some(), "for the site: --site-listen"),
            (
                "--leaf-listen",
                self.leaf_listen.is_some(),
                "sites join the first server, and no others join them",
            ),
            ("--address", self.address.is_some(), "for the site: --site-address"),
            ("--unsigned-control", self.unsigned_control, "what was said of it then holds for all sites"),
            ("--tls-cert", self.tls_cert.is_some(), "for the site: --site-tls-cert"),
            ("--tls-key", self.tls_key.is_some(), "for the site: --site-tls-key"),
            ("--tls-ca", self.tls_ca.is_some(), "for the site: --site-tls-ca"),
        ];
        match given.into_iter().find(|(_, given, _)| *given) {
            None => Ok(()),
            Some((flag, _, instead)) => {
                let dir = own.root().display();
                let text = format!("{flag} is about the first server, and that of {dir} is made already");
                Err(Failure::say(Exit::Usage, text).help(format!("leave it out; {instead}")))
            }
        }
    }
}
