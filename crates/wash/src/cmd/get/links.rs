//! `wash get links`, which `wash link query` is too.

use serde::Serialize;

use crate::{
    failure::Outcome,
    lattice::{ConnectionArgs, LinkRow, all_inventories, failed, link_rows},
    output::{Align, Output, Reply, table},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Serialize)]
struct Links {
    links: Vec<LinkRow>,
}

impl Reply for Links {
    fn text(&self) -> String {
        if self.links.is_empty() {
            return "no links; make one with `wash link put SOURCE TARGET CONTRACT`".to_owned();
        }
        links_table(&self.links)
    }
}

/// Links for people.
pub(crate) fn links_table(links: &[LinkRow]) -> String {
    let columns = ["link", "contract", "name", "distance", "state"].map(|name| (name, Align::Left));
    let row = |row: &LinkRow| {
        let (name, distance) = (row.link.name.to_string(), row.link.distance.to_string());
        [row.ends(), row.contract(), name, distance, row.state.text()]
    };
    table(&columns, links.iter().map(row))
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let links = session.client.get_links().await.map_err(failed)?;
    let inventories = all_inventories(&session).await?;
    out.reply(&Links { links: link_rows(links, &inventories) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_contract_name_and_state() {
        let link = |json: serde_json::Value| serde_json::from_value(json).unwrap();
        let links = vec![
            link(
                serde_json::json!({ "source_id": "http", "target": "hello", "wit_namespace": "wasi", "wit_package": "http" }),
            ),
            link(
                serde_json::json!({ "source_id": "hello", "target": "kv", "wit_namespace": "wasi", "wit_package": "keyvalue", "name": "cache", "interfaces": ["store"], "distance": "local" }),
            ),
        ];
        insta::assert_snapshot!(links_table(&link_rows(links, &[])), @"
        LINK           CONTRACT               NAME     DISTANCE      STATE
        hello -> kv    wasi:keyvalue/{store}  cache    local         pending: neither hello nor kv runs
        http -> hello  wasi:http              default  prefer-local  pending: neither http nor hello runs
        ");
    }
}
