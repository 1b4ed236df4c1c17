//! `wash nats user revoke`.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use lattice_core::{LatticeName, permission::Role};
use serde::Serialize;

use crate::{
    failure::{Failure, Outcome},
    output::{Output, Reply},
    own_nats::{OwnNats, User, push},
};

/// Take the rights of users away: they are refused, and disconnected, by every server that is told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of `wash nats init`
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The users' names
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Also make new keys for provider processes in the lattices of revoked hosts and sites, which had the old ones
    #[arg(long)]
    provider_keys: bool,
    /// A further server to be told, as that of a site; may be repeated
    #[arg(long, value_name = "URL")]
    nats_url: Vec<String>,
    /// Longest wait for an answer, in milliseconds
    #[arg(short, long, value_name = "MS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    timeout_ms: u64,
}

#[derive(Debug, Serialize)]
struct Gone {
    name: String,
    key: String,
}

#[derive(Debug, Serialize)]
struct Revoked {
    users: Vec<Gone>,
    /// Servers that refuse them from now on.
    told: Vec<String>,
    /// Names of sites whose servers were not told here.
    sites: Vec<String>,
    /// New keys for provider processes, which the hosts of their lattices need.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    provider_keys: Vec<PathBuf>,
    #[serde(skip)]
    dir: PathBuf,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let own = OwnNats::require(&args.dir)?;
    let (mut users, mut lattices) = (Vec::new(), BTreeSet::new());
    for name in &args.names {
        let user = own.revoke_user(name)?;
        lattices.extend(had_key_of(&own, &user)?);
        users.push(Gone { name: user.name, key: user.key.to_string() });
    }
    let (provider_keys, kept) = match args.provider_keys {
        true => (renew(&own, lattices)?, BTreeSet::new()),
        false => (Vec::new(), lattices),
    };
    let ca = own.plan.tls_ca.then(|| own.server().join("ca.pem"));
    let (mut told, mut not_told) = (Vec::new(), Vec::new());
    for url in std::iter::once(own.plan.url()).chain(args.nats_url) {
        match push(&own, &url, ca.clone(), Duration::from_millis(args.timeout_ms)).await {
            Ok(pushed) => told.push(pushed.url),
            Err(failure) => not_told.push((url, failure)),
        }
    }
    if let Some((url, failure)) = not_told.into_iter().next() {
        // Revoked it is, and a server that starts anew from its folder knows; the one that runs does not.
        let dir = own.root().display();
        let help = format!("when the server is there: wash nats push {dir} --nats-url {url}");
        let exit = failure.exit();
        let who = names(&users);
        let text = format!("revoked {who}, but the server at {url} was not told and still takes them");
        return Err(Failure::say(exit, text).help(help));
    }
    let sites = own.site_folders()?.into_iter().map(|site| site.about.name).collect();
    let dir = own.root().to_owned();
    for lattice in kept {
        out.note(format!(
            "who has the files of {} can still sign credentials for provider processes of lattice {lattice}; --provider-keys takes that back, too",
            names(&users)
        ));
    }
    out.reply(&Revoked { users, told, sites, provider_keys, dir })
}

/// The lattices whose key for provider processes lay beside these credentials.
fn had_key_of(own: &OwnNats, user: &User) -> Outcome<Vec<LatticeName>> {
    Ok(match &user.role {
        Some((Role::Host, lattice)) => lattice.parse().ok().into_iter().collect(),
        Some((Role::Site, _)) => {
            let sites = own.site_folders()?.into_iter().map(|site| site.about);
            let its = sites.filter(|about| user.name.strip_suffix("-leaf") == Some(about.name.as_str()));
            its.map(|about| about.lattice).collect()
        }
        _ => Vec::new(),
    })
}

/// The files of the new keys.
fn renew(own: &OwnNats, lattices: BTreeSet<LatticeName>) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    for lattice in lattices {
        own.renew_provider_key(&lattice)?;
        files.push(own.provider_key(&lattice));
    }
    own.rewrite_servers()?;
    Ok(files)
}

fn names(users: &[Gone]) -> String {
    users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl Reply for Revoked {
    fn text(&self) -> String {
        let told = self.told.join(", ");
        let mut text = format!("revoked {}; refused by {told} from now on", names(&self.users));
        for key in &self.provider_keys {
            text += &format!(
                "\nhosts of that lattice need {} beside their credentials, and to be started anew: until then servers refuse their provider processes",
                key.display()
            );
        }
        if !self.sites.is_empty() {
            text += &format!(
                "\nthe server of each site ({}) has to be told too: wash nats push {} --nats-url nats://HOST:PORT",
                self.sites.join(", "),
                self.dir.display()
            );
        }
        text
    }
}
