//! `wash link put`.

use std::time::Duration;

use lattice_control_interface::HostInventory;
use lattice_core::{ConfigName, Distance, EntityId, Link, LinkName, SecretName};
use serde::Serialize;

use super::words::{PutWords, Side};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    lattice::{ConnectionArgs, LinkRow, Session, all_inventories, failed, link_rows, until_settled},
    output::{Output, Reply},
};

/// How long a provider may take to take a link up.
const SETTLE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "wash link put [OPTIONS] <SOURCE> <TARGET> <CONTRACT> [KEY=VALUE]...\n       \
                      wash link put [OPTIONS] <SOURCE> <TARGET> <NAMESPACE> <PACKAGE>",
    after_help = "\
Examples:
  wash link put http hello wasi:http path=/hello           the HTTP server calls the actor
  wash link put hello kv wasi keyvalue --interface store   the actor calls the key-value store
  wash link put echo http wasmcloud:httpserver PORT=8080   as in 2021: the actor first"
)]
pub(super) struct Args {
    /// Who calls, who is called, the contract, and values for the provider's end
    #[arg(value_name = "WORDS", required = true, num_args = 1..)]
    words: Vec<String>,
    /// Interface of the contract that the link grants; may be repeated [default: all]
    #[arg(long = "interface", value_name = "NAME")]
    interfaces: Vec<String>,
    /// Tells links of the same source and contract apart
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    link_name: LinkName,
    /// How far calls may go: local (this host alone), prefer-local (else another host), lattice (any host alike)
    #[arg(long, value_name = "HOW_FAR", default_value_t, hide_default_value = true)]
    distance: Distance,
    /// Configuration for the source, by name; may be repeated, later ones win
    #[arg(long, value_name = "NAME")]
    source_config: Vec<ConfigName>,
    /// Configuration for the target, by name; may be repeated, later ones win
    #[arg(long, value_name = "NAME")]
    target_config: Vec<ConfigName>,
    /// Secret for the source, by name; may be repeated
    #[arg(long, value_name = "NAME")]
    source_secret: Vec<SecretName>,
    /// Secret for the target, by name; may be repeated
    #[arg(long, value_name = "NAME")]
    target_secret: Vec<SecretName>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// v1's fields are `source_id` and `target`, which the row has.
#[derive(Debug, Serialize)]
struct Linked {
    #[serde(flatten)]
    row: LinkRow,
}

impl Reply for Linked {
    fn text(&self) -> String {
        format!("link {} ({}): {}", self.row.ends(), self.row.contract(), self.row.state.text())
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.clone().connect().await?;
    let inventories = all_inventories(&session).await?;
    let is_provider = |id: &EntityId| {
        inventories.iter().flat_map(|host| &host.providers).any(|one| one.id.as_str() == id.as_str())
    };
    let words = PutWords::read(&args.words, &is_provider)?;
    let mut link = Link {
        source: words.source.clone(),
        target: words.target.clone(),
        name: args.link_name,
        wit_namespace: words.carried.contract.namespace().to_owned(),
        wit_package: words.carried.contract.package().to_owned(),
        interfaces: args.interfaces,
        source_config: args.source_config,
        target_config: args.target_config,
        source_secrets: args.source_secret,
        target_secrets: args.target_secret,
        distance: args.distance,
    };
    link.check().map_err(Failure::usage)?;
    if !words.values.is_empty() {
        let side = words.provider_side(&link.interfaces, &is_provider).ok_or_else(|| which_end(&link))?;
        put_values(&session, &words, &mut link, side).await?;
    }
    session.client.put_link(&link).await.map_err(failed)?;
    let progress = out.progress("waiting for the link");
    let row = settled(&session, &link).await?;
    drop(progress);
    if row.state.is_failed() {
        let text = format!("the link {} ({}) is put, and {}", row.ends(), row.contract(), row.state.text());
        return Err(Failure::say(Exit::Refused, text)
            .help("put it again with what is wrong put right; a cause that passes by itself, as a taken port, needs nothing"));
    }
    out.reply(&Linked { row })
}

fn which_end(link: &Link) -> Failure {
    let text = format!(
        "are the values for {} or for {}? Neither is known to be a provider",
        link.source, link.target
    );
    Failure::say(Exit::Usage, text).help(
        "put them with `wash config put NAME KEY=VALUE` and name that with --source-config or --target-config",
    )
}

/// Values become a configuration named after the link, so that putting the link again replaces them.
async fn put_values(session: &Session, words: &PutWords, link: &mut Link, side: Side) -> Outcome {
    let values = match words.carried.alias {
        Some(alias) => alias.translate(&words.values),
        None => words.values.clone(),
    };
    let end = if side == Side::Source { "source" } else { "target" };
    let name = format!(
        "link/{}/{}/{}/{}/{}/{end}",
        link.source, link.target, link.wit_namespace, link.wit_package, link.name
    );
    let name = ConfigName::new(&name).map_err(|error| {
        Failure::usage(error)
            .help("put the values with `wash config put` under a shorter name, and name that instead")
    })?;
    session.client.put_config(&name, &values).await.map_err(failed)?;
    let configs = if side == Side::Source { &mut link.source_config } else { &mut link.target_config };
    configs.push(name);
    Ok(())
}

/// The link's state once it no longer passes and every host that runs an end of it speaks of it.
async fn settled(session: &Session, link: &Link) -> Outcome<LinkRow> {
    let row = until_settled(session, SETTLE, |inventories| {
        let row = link_rows(vec![link.clone()], inventories).pop();
        let heard = row.as_ref().is_some_and(|row| row.hosts.len() >= concerned(inventories, link));
        let settled = heard && row.as_ref().is_some_and(|row| !row.state.is_passing());
        (row, settled)
    });
    row.await?.ok_or_else(|| Failure::say(Exit::Refused, "the link was put and is not there"))
}

/// How many hosts run an end of the link and tell states of links.
fn concerned(inventories: &[HostInventory], link: &Link) -> usize {
    let is_end = |id: &str| id == link.source.as_str() || id == link.target.as_str();
    let runs_end = |host: &&HostInventory| {
        let actor = host.components.iter().any(|actor| is_end(actor.id.as_str()));
        host.links.is_some() && (actor || host.providers.iter().any(|provider| is_end(provider.id.as_str())))
    };
    inventories.iter().filter(runs_end).count()
}
