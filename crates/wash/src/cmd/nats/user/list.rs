//! `wash nats user list`.

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    clock,
    failure::Outcome,
    output::{Align, Output, Reply, table},
    own_nats::{OwnNats, User},
};

/// Show all users.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of `wash nats init`
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Debug, Serialize)]
struct Listed {
    users: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// `*` is every one.
    #[serde(skip_serializing_if = "Option::is_none")]
    lattice: Option<String>,
    state: &'static str,
    key: String,
    issued: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    credentials: PathBuf,
}

pub(super) fn run(args: &Args, out: &Output) -> Outcome {
    let own = OwnNats::require(&args.dir)?;
    let users = own.users()?;
    for lattice in own.lattices_with_other_templates()? {
        let dir = own.root().display();
        out.note(format!(
            "what the key for provider processes of lattice {lattice} may sign is as another version wrote it; renew it, here and at \
             the server: wash nats push {dir}"
        ));
    }
    out.reply(&Listed { users: users.into_iter().map(Line::of).collect() })
}

impl Line {
    fn of(user: User) -> Line {
        let state = user.state(clock::now());
        let (role, lattice) = user.role.map(|(role, lattice)| (role.to_string(), lattice)).unzip();
        Line {
            name: user.name,
            role,
            lattice,
            state,
            key: user.key.to_string(),
            issued: user.issued,
            expires: user.expires,
            credentials: user.file,
        }
    }
}

impl Reply for Listed {
    fn text(&self) -> String {
        if self.users.is_empty() {
            return "no users".to_owned();
        }
        let columns = ["name", "role", "lattice", "state", "made"].map(|name| (name, Align::Left));
        let now = clock::now();
        let row = |user: &Line| {
            let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            let made = clock::from_now(user.issued, now);
            [user.name.clone(), or_dash(&user.role), or_dash(&user.lattice), user.state.to_owned(), made]
        };
        table(&columns, self.users.iter().map(row))
    }
}
