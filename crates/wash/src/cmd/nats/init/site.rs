//! The flags about a further site.

use std::path::PathBuf;

use lattice_core::{EntityId, LatticeName};

use super::address;
use crate::own_nats::{SiteWanted, TlsGiven};

/// The server of a further site.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The server of a further site")]
pub(super) struct SiteFlags {
    /// Where it listens for clients
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:4222", value_parser = address, requires = "site")]
    site_listen: String,
    /// Name or address by which others reach it [default: where it listens]
    #[arg(long, value_name = "HOST", requires = "site")]
    site_address: Option<String>,
    /// Its certificate (PEM): all who connect there then speak TLS
    #[arg(long, value_name = "FILE", requires_all = ["site", "site_tls_key"])]
    site_tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "site_tls_cert")]
    site_tls_key: Option<PathBuf>,
    /// The authority (PEM) that vouches for the certificate [default: that of the first server]
    #[arg(long, value_name = "FILE", requires = "site_tls_cert")]
    site_tls_ca: Option<PathBuf>,
}

impl SiteFlags {
    /// The site of that name.
    pub(super) fn wanted(self, name: EntityId, lattice: LatticeName) -> SiteWanted {
        let tls = TlsGiven { cert: self.site_tls_cert, key: self.site_tls_key, ca: self.site_tls_ca };
        SiteWanted { name, lattice, listen: self.site_listen, address: self.site_address, tls }
    }
}
