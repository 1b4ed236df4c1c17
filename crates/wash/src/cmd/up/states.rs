//! How what the manifest asks for fares, once the host is ready.

use std::time::Duration;

use lattice_control_interface::Client;
use lattice_core::{HostId, LatticeName};
use lattice_manifest::Manifest;
use lattice_nats::{ConnectOptions, Connection, Credentials};

use super::{Args, access::Access, nats::Nats};
use crate::{
    cmd::apply::{Applied, settled},
    failure::{Failure, Outcome},
    lattice::Session,
    local::HostProcess,
};

/// The longest wait for one answer of a host that starts things meanwhile.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What it takes to ask the host.
#[derive(Debug)]
pub(super) struct Look {
    options: ConnectOptions,
    lattice: LatticeName,
    host: String,
    manifest: Manifest,
}

impl Look {
    pub(super) fn new(
        args: &Args,
        nats: &Nats,
        access: &Access,
        host: &HostProcess,
        manifest: Manifest,
    ) -> Look {
        let mut options = ConnectOptions::to(nats.url()).named("wash up").on(&args.lattice());
        // A host's own credentials do not steer; where there are no others, they are tried.
        if let Some(file) = access.operator.as_ref().or(args.nats.nats_credsfile.as_ref()) {
            options.credentials = Credentials::CredsFile(file.clone());
        }
        options.tls.ca_file.clone_from(&access.ca);
        Look { options, lattice: args.lattice(), host: host.host_id.clone(), manifest }
    }

    /// The states of everything in the manifest, when they last.
    pub(super) async fn states(self) -> Outcome<Applied> {
        let host = HostId::new(&self.host).map_err(Failure::refused)?;
        let connection = Connection::connect(self.options, TIMEOUT).await.map_err(Failure::unreachable)?;
        let session = Session::new(Client::new(connection, self.lattice, TIMEOUT), TIMEOUT);
        let mut seen = Applied::seen(&self.manifest, &host);
        settled(&session, self.manifest.plan(), &mut seen).await?;
        Ok(seen)
    }
}
