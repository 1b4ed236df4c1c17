//! What `wash apply` did, and how all of it is.

use lattice_core::HostId;
use lattice_manifest::Manifest;
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
    /// Nothing, where somebody else had to do it.
    #[serde(skip_serializing_if = "Option::is_none")]
    did: Option<Did>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host_id: Option<HostId>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<StateOf>,
}

impl Item {
    pub(super) fn new(name: &str, did: Did) -> Item {
        Item { name: name.to_owned(), did: Some(did), host_id: None, state: None }
    }

    pub(super) fn on(name: &str, did: Did, host: HostId) -> Item {
        Item { host_id: Some(host), ..Item::new(name, did) }
    }

    fn seen(name: &str, host: Option<&HostId>) -> Item {
        Item { name: name.to_owned(), did: None, host_id: host.cloned(), state: None }
    }
}

/// All of a manifest.
#[derive(Debug, Serialize)]
pub(in crate::cmd) struct Applied {
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

    /// What `host` was told to run by somebody else, for its states to be filled in.
    pub(in crate::cmd) fn seen(manifest: &Manifest, host: &HostId) -> Applied {
        let plan = manifest.plan();
        let mut applied = Applied::new(manifest.app().to_string());
        applied.providers =
            plan.providers.iter().map(|one| Item::seen(one.id.as_str(), Some(host))).collect();
        applied.actors = plan.actors.iter().map(|one| Item::seen(one.id.as_str(), Some(host))).collect();
        let keys = plan.links.iter().filter_map(|link| link.key().ok());
        applied.links = keys.map(|key| Item::seen(&key.to_string(), None)).collect();
        applied
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
    pub(in crate::cmd) fn failures(&self) -> Vec<String> {
        let lines = self.parts().into_iter().flat_map(|(what, items)| {
            items.iter().filter_map(move |item| {
                let state = item.state.as_ref().filter(|state| state.is_failed())?;
                Some(format!("  {what} {}: {}", item.name, state.text()))
            })
        });
        lines.collect()
    }
}

impl Applied {
    /// A table of all, with what had to be done where that is known.
    pub(in crate::cmd) fn table(&self) -> String {
        let items =
            || self.parts().into_iter().flat_map(|(what, items)| items.iter().map(move |item| (what, item)));
        let state = |item: &Item| item.state.as_ref().map(StateOf::text).unwrap_or_default();
        let did = |item: &Item| item.did.map(|did| did.word().to_owned());
        if items().all(|(_, item)| item.did.is_none()) {
            let columns = [("what", Align::Left), ("name", Align::Left), ("state", Align::Left)];
            return table(
                &columns,
                items().map(|(what, item)| [what.to_owned(), item.name.clone(), state(item)]),
            );
        }
        let columns =
            [("what", Align::Left), ("name", Align::Left), ("was", Align::Left), ("state", Align::Left)];
        let row = |(what, item): (&str, &Item)| {
            [what.to_owned(), item.name.clone(), did(item).unwrap_or_default(), state(item)]
        };
        table(&columns, items().map(row))
    }
}

impl Reply for Applied {
    fn text(&self) -> String {
        format!("{} is applied\n\n{}", self.app, self.table())
    }
}
