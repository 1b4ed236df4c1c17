//! `wash nats permissions`.

use lattice_core::{
    EntityId, HostId, LatticeName,
    permission::{Permissions, Reach, Role},
};
use serde::Serialize;

use super::user::principal;
use crate::{
    failure::Outcome,
    output::{Output, Reply},
};

/// For servers and accounts that `wash nats` did not make: copy it into a user there.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The role: host, operator, viewer, provider, tool or site
    role: Role,
    /// The user's name; for a provider its id, for a tool the name that it calls with
    #[arg(default_value = "me")]
    name: EntityId,
    /// The lattice
    #[arg(short = 'x', long, default_value = "default")]
    lattice: LatticeName,
    /// The one host that the permissions are for [default: any]
    #[arg(long, value_name = "HOST")]
    host_id: Option<HostId>,
}

#[derive(Debug, Serialize)]
struct Shown {
    publish: Vec<String>,
    subscribe: Vec<String>,
}

pub(super) fn run(args: Args, out: &Output) -> Outcome {
    let principal = principal(args.role, &args.name, args.host_id)?;
    let Permissions { publish, subscribe } = Permissions::of(&principal, &Reach::Lattice(args.lattice));
    out.reply(&Shown { publish, subscribe })
}

impl Reply for Shown {
    fn text(&self) -> String {
        let list = |subjects: &[String]| {
            subjects.iter().map(|subject| format!("    \"{subject}\"\n")).collect::<String>()
        };
        let (publish, subscribe) = (list(&self.publish), list(&self.subscribe));
        format!(
            "permissions {{\n  publish: {{ allow: [\n{publish}  ] }}\n  subscribe: {{ allow: [\n{subscribe}  ] }}\n}}"
        )
    }
}
