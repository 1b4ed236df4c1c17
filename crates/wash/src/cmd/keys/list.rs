//! `wash keys list`.

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    failure::Outcome,
    keystore::{KeysDir, Stored},
    output::{Align, Output, Reply, table},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeysDir,
}

#[derive(Serialize)]
struct Listed {
    directory: PathBuf,
    keys: Vec<Key>,
}

#[derive(Serialize)]
struct Key {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(super) fn run(args: Args, out: &Output) -> Outcome {
    let store = args.keys.open()?;
    let keys = store.list()?.into_iter().map(Key::of).collect();
    out.reply(&Listed { directory: store.dir().to_owned(), keys })
}

impl Key {
    fn of(stored: Stored) -> Key {
        let exposed = stored.exposed.then(|| "others can read it: chmod 600".to_owned());
        match stored.key {
            Ok(key) => Key {
                name: stored.name,
                kind: Some(key.kind().name()),
                public_key: Some(key.public_key().to_string()),
                problem: exposed,
            },
            Err(problem) => Key { name: stored.name, kind: None, public_key: None, problem: Some(problem) },
        }
    }
}

impl Reply for Listed {
    fn text(&self) -> String {
        if self.keys.is_empty() {
            return format!(
                "No keys in {}. Make one: wash keys gen account --name NAME",
                self.directory.display()
            );
        }
        let columns =
            [("name", Align::Left), ("kind", Align::Left), ("public key", Align::Left), ("", Align::Left)];
        let row = |key: &Key| {
            let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
            let kind = or_dash(key.kind);
            [
                key.name.clone(),
                kind,
                or_dash(key.public_key.as_deref()),
                key.problem.clone().unwrap_or_default(),
            ]
        };
        format!("Keys in {}\n{}", self.directory.display(), table(&columns, self.keys.iter().map(row)))
    }
}
