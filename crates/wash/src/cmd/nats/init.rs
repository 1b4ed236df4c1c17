//! `wash nats init`.

use std::path::{Path, PathBuf};

use lattice_core::{EntityId, LatticeName};
use serde::Serialize;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    output::{Output, Reply},
    own_nats::{OwnNats, Plan, SiteWanted, TlsGiven, make, make_site},
};

/// The folder's own name where nothing else is given.
const NAME: &str = "hub";

/// Make operator, accounts, users and the configuration of a server.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wash nats init ~/hub                     a server of your own; start it: wash up --nats-dir ~/hub
  wash nats init ~/hub --listen 0.0.0.0:4222 --leaf-listen 0.0.0.0:7422 --address nats.example.com \\
    --tls-cert cert.pem --tls-key key.pem  one that others reach
  wash nats init ~/hub --site plant        a further site that joins it; copy ~/hub/sites/plant there")]
pub(super) struct Args {
    /// Folder to make; with --site it may be there already
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Name of a further site: a server with its own store and lattice that joins the first one
    #[arg(long, value_name = "NAME")]
    site: Option<EntityId>,
    /// Lattice of the hosts there [default: default; of a site its name]
    #[arg(short = 'x', long)]
    lattice: Option<LatticeName>,
    /// Where the site's server listens for clients
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:4222", value_parser = address)]
    site_listen: String,
    #[command(flatten)]
    first: First,
}

/// The first server.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The first server")]
struct First {
    /// Its name, and its JetStream domain
    #[arg(long, default_value = NAME)]
    name: EntityId,
    /// Where it listens for clients
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:4222", value_parser = address)]
    listen: String,
    /// Where it listens for the servers of further sites
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7422", value_parser = address)]
    leaf_listen: String,
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

fn address(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Ok(text.to_owned())
        }
        _ => Err("write HOST:PORT, as 0.0.0.0:4222".to_owned()),
    }
}

#[derive(Debug, Serialize)]
struct Made {
    directory: PathBuf,
    server: PathBuf,
    url: String,
    /// Whether the first server was made now.
    made: bool,
    /// Whose commands hosts take, where they have to be signed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    admins: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<Site>,
    #[serde(skip)]
    plain_to_others: bool,
    #[serde(skip)]
    without_address: bool,
}

#[derive(Debug, Serialize)]
struct Site {
    name: String,
    lattice: String,
    directory: PathBuf,
}

pub(super) fn run(args: Args, out: &Output) -> Outcome {
    let (own, made) = match (OwnNats::open(&args.dir)?, &args.site) {
        (Some(own), Some(_)) => (own, false),
        (Some(own), None) => {
            let text = format!("{} is there already", own.root().display());
            let help = "start it with `wash up --nats-dir`, add users with `wash nats user add`, or a site with --site NAME";
            return Err(Failure::say(Exit::Refused, text).help(help));
        }
        (None, _) => {
            (args.first.make(&args.dir, args.lattice.as_ref().filter(|_| args.site.is_none()))?, true)
        }
    };
    let site = match args.site {
        Some(name) => {
            let of_name = || LatticeName::new(name.as_str()).map_err(Failure::usage);
            let lattice = args.lattice.map_or_else(of_name, Ok)?;
            let wanted = SiteWanted { name, lattice: lattice.clone(), listen: args.site_listen };
            let folder = make_site(&own, &wanted)?;
            let directory = folder.dir().to_owned();
            Some(Site { name: wanted.name.to_string(), lattice: lattice.to_string(), directory })
        }
        None => None,
    };
    let (directory, server) = (own.root().to_owned(), own.server());
    let plain_to_others = !own.plan.tls && !is_loopback(&own.plan.listen);
    let everywhere = ["0.0.0.0:", "[::]:"].iter().any(|prefix| own.plan.listen.starts_with(prefix));
    let without_address = made && everywhere && own.plan.address.is_none();
    let (url, admins) = (own.plan.url(), own.first_admins());
    out.reply(&Made { directory, server, url, made, admins, site, plain_to_others, without_address })
}

fn is_loopback(listen: &str) -> bool {
    ["127.", "localhost:", "[::1]:"].iter().any(|prefix| listen.starts_with(prefix))
}

impl First {
    fn make(self, dir: &Path, lattice: Option<&LatticeName>) -> Outcome<OwnNats> {
        let plan = Plan {
            domain: Some(self.name.to_string()),
            name: self.name.to_string(),
            listen: self.listen,
            leaf_listen: Some(self.leaf_listen),
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
        if let Some(site) = &self.site {
            let folder = site.directory.display();
            lines.extend([
                format!("made site {}, with a lattice {} of its own", site.name, site.lattice),
                String::new(),
                format!("  {folder}   copy it whole to the site, and start it there:"),
                format!("      wash up --nats-dir {}      with a host", site.name),
                format!("      (cd {} && nats-server -c nats-server.conf)", site.name),
            ]);
        }
        if self.without_address {
            lines.push(
                "\nothers reach this server by an address that its folders do not know, and would be sent to 127.0.0.1: give --address HOST"
                    .to_owned(),
            );
        }
        if self.plain_to_others {
            lines.push(
                "\nothers reach this server without TLS: passwords are never sent, but all else can be read on the way. Give \
                 --tls-cert and --tls-key, or keep the network private"
                    .to_owned(),
            );
        }
        lines.join("\n")
    }
}
