//! `wash get claims`.

use lattice_control_interface::ClaimsMap;
use serde::Serialize;

use crate::{
    failure::Outcome,
    lattice::{ConnectionArgs, failed},
    output::{Output, Reply, pairs},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Serialize)]
struct Claims {
    claims: Vec<ClaimsMap>,
}

/// The rows of one claim: its key in the answer of either generation, and what people read.
const ROWS: &[(&str, &[&str])] = &[
    ("Name", &["name"]),
    ("Issuer", &["issuer", "iss"]),
    ("Subject", &["subject", "sub"]),
    ("Tags", &["tags"]),
    ("Version", &["version"]),
    ("Revision", &["revision", "rev"]),
];

impl Reply for Claims {
    fn text(&self) -> String {
        if self.claims.is_empty() {
            return "no claims: nothing that is signed was started".to_owned();
        }
        let block = |claims: &ClaimsMap| {
            let value = |keys: &[&str]| {
                keys.iter().find_map(|key| claims.get(*key)).filter(|v| !v.is_empty()).cloned()
            };
            pairs(ROWS.iter().filter_map(|(name, keys)| Some((*name, value(keys)?))))
        };
        self.claims.iter().map(block).collect::<Vec<_>>().join("\n\n")
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let claims = session.client.get_claims().await.map_err(failed)?;
    out.reply(&Claims { claims })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_for_each() {
        let claims = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let claims = vec![
            claims(&[("name", "hello"), ("issuer", "AAB"), ("sub", "MAB"), ("tags", ""), ("rev", "1")]),
            claims(&[("name", "kv"), ("iss", "AAC"), ("subject", "VAB"), ("version", "0.2.0")]),
        ];
        insta::assert_snapshot!(Claims { claims }.text(), @"
        Name        hello
        Issuer      AAB
        Subject     MAB
        Revision    1

        Name        kv
        Issuer      AAC
        Subject     VAB
        Version     0.2.0
        ");
    }
}
