//! What `wash apply` did, and how all of it is.

use lattice_core::HostId;
use serde::Serialize;

use crate::{
    lattice::StateOf,
    output::{Align, Reply, table},
};

/// What had to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Did {
    Made,
    Changed,
    Unchanged,
}

impl Did {
    fn word(self) -> &'static str {
        match self {
            Did::Made => "made",
            Did::Changed => "changed",
            Did::Unchanged => "unchanged",
        }
    }
}

/// One thing of the manifest.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    pub(super) name: String,
    did: Did,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host_id: Option<HostId>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<StateOf>,
}

impl Item {
    pub(super) fn new(name: &str, did: Did) -> Item {
        Item { name: name.to_owned(), did, host_id: None, state: None }
    }

    pub(super) fn on(name: &str, did: Did, host: HostId) -> Item {
        Item { host_id: Some(host), ..Item::new(name, did) }
    }
}

/// All of a manifest.
#[derive(Debug, Serialize)]
pub(super) struct Applied {
    app: String,
    pub(super) configs: Vec<Item>,
    pub(super) providers: Vec<Item>,
    pub(super) actors: Vec<Item>,
    pub(super) links: Vec<Item>,
}

impl Applied {
    pub(super) fn new(app: String) -> Applied {
        Applied { app, configs: Vec::new(), providers: Vec::new(), actors: Vec::new(), links: Vec::new() }
    }

    fn parts(&self) -> [(&'static str, &[Item]); 4] {
        [
            ("config", &self.configs),
            ("provider", &self.providers),
            ("actor", &self.actors),
            ("link", &self.links),
        ]
    }

    /// A line for each thing that failed.
    pub(super) fn failures(&self) -> Vec<String> {
        let lines = self.parts().into_iter().flat_map(|(what, items)| {
            items.iter().filter_map(move |item| {
                let state = item.state.as_ref().filter(|state| state.is_failed())?;
                Some(format!("  {what} {}: {}", item.name, state.text()))
            })
        });
        lines.collect()
    }
}

impl Reply for Applied {
    fn text(&self) -> String {
        let rows = self.parts().into_iter().flat_map(|(what, items)| {
            items.iter().map(move |item| {
                let state = item.state.as_ref().map(StateOf::text).unwrap_or_default();
                [what.to_owned(), item.name.clone(), item.did.word().to_owned(), state]
            })
        });
        let columns =
            [("what", Align::Left), ("name", Align::Left), ("was", Align::Left), ("state", Align::Left)];
        format!("{} is applied\n\n{}", self.app, table(&columns, rows))
    }
}
