//! `wash link del`.

use lattice_control_interface::DeleteLinkCommand;
use lattice_core::{EntityId, Link, LinkKey, LinkName};
use serde::Serialize;

use super::words::DelWords;
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    lattice::{ConnectionArgs, failed},
    output::{Output, Reply},
};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "wash link del [OPTIONS] <SOURCE> [TARGET] <CONTRACT>\n       \
                      wash link del [OPTIONS] <SOURCE> <NAMESPACE> <PACKAGE>",
    after_help = "Example:\n  wash link del http hello wasi:http"
)]
pub(super) struct Args {
    /// Who calls, who is called where there are several, and the contract
    #[arg(value_name = "WORDS", required = true, num_args = 1..=4)]
    words: Vec<String>,
    /// The link's name
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    link_name: LinkName,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// v1's fields, and ours: every link that was deleted.
#[derive(Debug, Serialize)]
struct Deleted {
    source_id: EntityId,
    wit_namespace: String,
    wit_package: String,
    link_name: LinkName,
    deleted: Vec<LinkKey>,
}

impl Reply for Deleted {
    fn text(&self) -> String {
        self.deleted.iter().map(|key| format!("link {key} is deleted")).collect::<Vec<_>>().join("\n")
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let words = DelWords::read(&args.words)?;
    let session = args.connection.connect().await?;
    let links = session.client.get_links().await.map_err(failed)?;
    let meant = |link: &&Link| {
        words.mean(&link.source, &link.target)
            && link.name == args.link_name
            && link.contract().is_ok_and(|contract| contract == words.contract)
    };
    let keys: Vec<LinkKey> = links.iter().filter(meant).filter_map(|link| link.key().ok()).collect();
    let Some(first) = keys.first() else {
        let text = format!("there is no such link of {} called {}", words.contract, args.link_name);
        return Err(Failure::say(Exit::Refused, text).help("`wash link query` shows all links"));
    };
    if keys.len() > 1 && words.names_one_end() {
        return Err(several(&words, &keys));
    }
    for key in &keys {
        session.client.delete_link(&DeleteLinkCommand::from(key)).await.map_err(failed)?;
    }
    out.reply(&Deleted {
        source_id: first.source.clone(),
        wit_namespace: first.contract.namespace().to_owned(),
        wit_package: first.contract.package().to_owned(),
        link_name: args.link_name,
        deleted: keys,
    })
}

/// Which of them is meant only the user knows; deleting all would break links that nobody spoke of.
fn several(words: &DelWords, keys: &[LinkKey]) -> Failure {
    let lines: Vec<String> = keys.iter().map(|key| format!("\n  {key}")).collect();
    let text = format!("{} links fit, and only one can be meant:{}", keys.len(), lines.concat());
    let help = keys.first().map_or_else(String::new, |key| {
        let name =
            if key.name.as_str() == "default" { String::new() } else { format!(" --link-name {}", key.name) };
        format!("name both ends, as in: wash link del {} {} {}{name}", key.source, key.target, words.contract)
    });
    Failure::say(Exit::Usage, text).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_links_are_listed_with_how_to_name_one() {
        let key = |target: &str| {
            let json = serde_json::json!({ "source_id": "web", "target": target, "wit_namespace": "wasi", "wit_package": "http" });
            serde_json::from_value::<Link>(json).unwrap().key().unwrap()
        };
        let read =
            |line: &str| DelWords::read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap();
        let words = read("web wasi http");
        assert!(words.names_one_end());
        assert!(!read("web hello wasi http").names_one_end());
        let failure = several(&words, &[key("hello"), key("other")]);
        assert_eq!(failure.exit(), Exit::Usage);
        for part in ["2 links", "hello", "other", "wash link del web hello wasi:http"] {
            assert!(failure.text().contains(part), "{part} in {}", failure.text());
        }
    }
}
