//! `wash nats user revoke`.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use lattice_core::{LatticeName, permission::Role};
use serde::Serialize;

use crate::{
    exit::Exit,
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

/// A new key for provider processes.
#[derive(Debug)]
struct NewKey {
    lattice: LatticeName,
    file: PathBuf,
}

#[derive(Debug, Serialize)]
struct Revoked {
    users: Vec<Gone>,
    /// Servers that refuse them from now on.
    told: Vec<String>,
    /// Names of sites whose servers were not told here.
    sites: Vec<String>,
    /// New keys for provider processes, which the hosts of their lattices need.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "files_of")]
    provider_keys: Vec<NewKey>,
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
    if args.provider_keys && provider_keys.is_empty() {
        out.note("no host and no site is among them, so the keys for provider processes stay as they are");
    }
    for lattice in kept {
        out.note(format!(
            "who has the files of {} can still sign credentials for provider processes of lattice {lattice}; --provider-keys takes that back, too",
            names(&users)
        ));
    }
    let within = Duration::from_millis(args.timeout_ms);
    let (mut told, mut not_told) = (Vec::new(), Vec::new());
    for url in std::iter::once(own.plan.url()).chain(args.nats_url) {
        match push(&own, &url, own.ca_at(&url)?, within).await {
            Ok(pushed) => told.push(pushed.url),
            Err(failure) => not_told.push((url, failure)),
        }
    }
    if !not_told.is_empty() {
        return Err(untold(&own, &users, &provider_keys, &not_told));
    }
    let sites = own.site_folders()?.into_iter().map(|site| site.about.name).collect();
    let dir = own.root().to_owned();
    out.reply(&Revoked { users, told, sites, provider_keys, dir })
}

/// Revoked they are, and a server that starts anew from its folder knows; those that run and were not reached do not.
fn untold(own: &OwnNats, users: &[Gone], keys: &[NewKey], not_told: &[(String, Failure)]) -> Failure {
    let dir = own.root().display();
    let exit = not_told.first().map_or(Exit::Unreachable, |(_, failure)| failure.exit());
    let urls: Vec<&str> = not_told.iter().map(|(url, _)| url.as_str()).collect();
    let text = format!(
        "revoked {}, but the server at {} was not told and still takes them",
        names(users),
        urls.join(", and that at ")
    );
    let pushes: Vec<_> = urls.iter().map(|url| format!("wash nats push {dir} --nats-url {url}")).collect();
    let mut help = format!("when the server is there: {}", pushes.join(" && "));
    for key in keys {
        help += &format!("; then {}", key.what_to_do());
    }
    Failure::say(exit, text).help(help)
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

/// The new keys.
fn renew(own: &OwnNats, lattices: BTreeSet<LatticeName>) -> Outcome<Vec<NewKey>> {
    let mut keys = Vec::new();
    for lattice in lattices {
        own.renew_provider_key(&lattice)?;
        keys.push(NewKey { file: own.provider_key(&lattice), lattice });
    }
    own.rewrite_servers()?;
    Ok(keys)
}

impl NewKey {
    fn what_to_do(&self) -> String {
        let NewKey { lattice, file } = self;
        format!(
            "copy {} to each machine with a host of lattice {lattice}, beside the host's credentials, and start its host anew: until then \
             servers refuse its provider processes",
            file.display()
        )
    }
}

/// As programs are told: the files alone.
fn files_of<S: serde::Serializer>(keys: &[NewKey], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(keys.iter().map(|key| &key.file))
}

fn names(users: &[Gone]) -> String {
    users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl Reply for Revoked {
    fn text(&self) -> String {
        let told = self.told.join(", ");
        let mut text = format!("revoked {}; refused by {told} from now on", names(&self.users));
        for key in &self.provider_keys {
            text += &format!("\n{}", key.what_to_do());
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
