//! `wash keys gen KIND`.

use std::path::PathBuf;

use lattice_claims::{KeyKind, KeyPair};
use serde::Serialize;

use crate::{
    failure::Outcome,
    keystore::KeysDir,
    output::{Output, Reply},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// account, user, module (or actor), provider, host, cluster, operator or curve
    kind: KeyKind,
    /// Save it as NAME_KIND.nk in the folder of the keys, readable by you alone, and do not print the seed
    #[arg(long, short, value_parser = name)]
    name: Option<String>,
    #[command(flatten)]
    keys: KeysDir,
}

#[derive(Serialize)]
struct Generated {
    public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
}

pub(super) fn run(args: Args, out: &Output) -> Outcome {
    let key = KeyPair::generate(args.kind);
    let public_key = key.public_key().to_string();
    out.reply(&match args.name {
        Some(name) => {
            let path = args.keys.open()?.save(&format!("{name}_{}", args.kind), &key)?;
            Generated { public_key, seed: None, path: Some(path) }
        }
        None => Generated { public_key, seed: Some(key.seed().expose().to_owned()), path: None },
    })
}

/// A blank in a file's name is a nuisance in every shell; keys that have one already are still found.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err("a name has one character at least, and no blanks".to_owned());
    }
    Ok(text.to_owned())
}

impl Reply for Generated {
    fn text(&self) -> String {
        let mut text = format!("Public Key: {}", self.public_key);
        if let Some(seed) = &self.seed {
            text += &format!("\nSeed: {seed}\n\nThe seed is private: treat it as a password.");
        }
        if let Some(path) = &self.path {
            text += &format!("\nSaved in {}", path.display());
        }
        text
    }
}
