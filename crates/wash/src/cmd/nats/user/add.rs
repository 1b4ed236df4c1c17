//! `wash nats user add`.

use std::path::PathBuf;

use lattice_core::{
    EntityId, HostId, LatticeName,
    permission::{Reach, Role},
};
use serde::Serialize;

use super::principal;
use crate::{
    clock,
    failure::Outcome,
    output::{Output, Reply},
    own_nats::{NewUser, OwnNats},
};

const DAY: u64 = 86_400;

/// Make a user of a role. No server has to be told: they take whom the account signs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of `wash nats init`
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The user's name; for a provider its id, for a tool the name that it calls with
    #[arg(value_name = "NAME")]
    name: EntityId,
    /// What it may do: host, operator, viewer, provider, tool or site
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// Its lattice [default: that of the first server]
    #[arg(short = 'x', long)]
    lattice: Option<LatticeName>,
    /// Every lattice of this NATS
    #[arg(long, conflicts_with = "lattice")]
    every_lattice: bool,
    /// The one host that may use it [default: every host that has the file]
    #[arg(long, value_name = "HOST")]
    host_id: Option<HostId>,
    /// Days after which it counts no longer [default: none]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500))]
    expires: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Added {
    name: String,
    role: String,
    lattice: String,
    key: String,
    credentials: PathBuf,
    #[serde(skip)]
    url: String,
    /// What makes a host ask for signatures, where those of this NATS do.
    #[serde(skip)]
    signed: String,
}

pub(super) fn run(args: Args, out: &Output) -> Outcome {
    let own = OwnNats::require(&args.dir)?;
    let lattice = args.lattice.unwrap_or_else(|| own.plan.lattice.clone());
    let reach = if args.every_lattice { Reach::Every } else { Reach::Lattice(lattice) };
    let new = NewUser {
        principal: principal(args.role, &args.name, args.host_id)?,
        name: args.name,
        expires: args.expires.map(|days| clock::now() + days * DAY),
        reach,
    };
    let user = own.add_user(&new)?;
    if let (Role::Host, Reach::Lattice(lattice)) = (args.role, &new.reach)
        && own.ensure_provider_key(lattice)?
    {
        own.rewrite_servers()?;
        let dir = args.dir.display();
        out.note(format!(
            "there is a key for provider processes of lattice {lattice} now; a server that runs has to hear of it: wash nats push {dir}"
        ));
    }
    out.reply(&Added {
        name: user.name,
        role: args.role.to_string(),
        lattice: new.reach.to_string(),
        key: user.key.to_string(),
        credentials: user.file,
        url: own.plan.url(),
        signed: signed(&own),
    })
}

/// The flags of hosts that take signed commands alone, as hosts of this NATS do; empty where it asks for none.
fn signed(own: &OwnNats) -> String {
    let admins = own.first_admins();
    if !own.plan.signed_control || admins.is_empty() {
        return String::new();
    }
    let admins: String = admins.iter().map(|admin| format!(" --admin {admin}")).collect();
    format!(" --require-signed-control{admins}")
}

impl Reply for Added {
    fn text(&self) -> String {
        let file = self.credentials.display();
        let lattice = if self.lattice == "*" {
            "every lattice".to_owned()
        } else {
            format!("lattice {}", self.lattice)
        };
        let made = format!("added {} {} of {lattice}: {file}", self.role, self.name);
        let lattice = if self.lattice == "*" { "default" } else { &self.lattice };
        match self.role.as_str() {
            "host" => format!(
                "{made}\nits host: wasmcloud --nats-url {} --nats-creds FILE --lattice {lattice}{}",
                self.url, self.signed
            ),
            "operator" | "viewer" => {
                format!(
                    "{made}\nthere: wash ctx new NAME --nats-url {} --credsfile FILE -x {lattice}",
                    self.url
                )
            }
            _ => made,
        }
    }
}
