//! `wash nats init`.

mod first;
mod reply;
mod site;

use std::path::PathBuf;

use lattice_core::{EntityId, LatticeName};

use self::{
    first::First,
    reply::{Made, Reached, Site},
    site::SiteFlags,
};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    output::Output,
    own_nats::{OwnNats, make_site},
};

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
    #[command(flatten)]
    first: First,
    #[command(flatten)]
    site_flags: SiteFlags,
}

fn address(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Ok(text.to_owned())
        }
        _ => Err("write HOST:PORT, as 0.0.0.0:4222".to_owned()),
    }
}

pub(super) fn run(args: Args, out: &Output) -> Outcome {
    let (own, made) = match (OwnNats::open(&args.dir)?, &args.site) {
        (Some(own), Some(_)) => {
            args.first.must_be_empty(&own)?;
            (own, false)
        }
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
        Some(name) => Some(site_of(&own, name, args.lattice, args.site_flags)?),
        None => None,
    };
    let (directory, server) = (own.root().to_owned(), own.server());
    let reach = Reached::of(&own.plan.listen, own.plan.tls, own.plan.address.is_some());
    let (url, admins) = (own.plan.url(), own.first_admins());
    out.reply(&Made { directory, server, url, made, admins, site, reach })
}

fn site_of(own: &OwnNats, name: EntityId, lattice: Option<LatticeName>, flags: SiteFlags) -> Outcome<Site> {
    let of_name = || LatticeName::new(name.as_str()).map_err(Failure::usage);
    let lattice = lattice.map_or_else(of_name, Ok)?;
    let wanted = flags.wanted(name, lattice);
    let folder = make_site(own, &wanted)?;
    Ok(Site {
        reach: Reached::of(&wanted.listen, folder.about.tls, wanted.address.is_some()),
        name: wanted.name.to_string(),
        lattice: wanted.lattice.to_string(),
        url: folder.about.url.clone(),
        directory: folder.dir().to_owned(),
    })
}
