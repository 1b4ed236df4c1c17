//! `link.put`, `link.del`, `link.get`.

use lattice_control_interface::{
    DeleteLinkCommand,
    events::{LinkdefDeleted, LinkdefSetFailed},
};
use lattice_core::{Link, LinkKey};

use super::{
    Ctl,
    reply::{Answer, Outcome, read, said},
};

impl Ctl {
    pub(super) async fn link_put(&self, body: &[u8]) -> Outcome {
        let link: Link = read("link put", body)?;
        match self.try_put(&link).await {
            Ok(()) => {
                self.events.publish(&link);
                said("successfully set link")
            }
            Err(error) => {
                self.events.publish(&LinkdefSetFailed { link, error: error.clone() });
                Err(error)
            }
        }
    }

    async fn try_put(&self, link: &Link) -> Result<(), String> {
        link.check().map_err(|error| error.to_string())?;
        self.lattice.wait_current().await;
        let view = self.lattice.view();
        let mut names = link.source_config.iter().chain(&link.target_config);
        if let Some(missing) = names.find(|name| !view.configs.contains_key(*name)) {
            return Err(format!(
                "Failed to validate configuration and secrets. Configuration {missing} not found in config store. \
                 Make it first: wash config put {missing} KEY=VALUE"
            ));
        }
        let mut names = link.source_secrets.iter().chain(&link.target_secrets);
        let between_actors = link.contract().is_ok_and(|contract| lattice_core::known(&contract).is_none());
        if let Some(name) = names.clone().next().filter(|_| between_actors) {
            return Err(format!(
                "{} is a contract between actors, which get secrets where they start: wash start actor IMAGE ID --secret {name}",
                format_args!("{}:{}", link.wit_namespace, link.wit_package)
            ));
        }
        if let Some(missing) = names.find(|name| !view.secrets.contains_key(*name)) {
            return Err(format!(
                "Failed to validate configuration and secrets. No secret {:?}; put it first: wash secret put {missing}",
                missing.as_str()
            ));
        }
        let conflict = view.links.values().find(|other| link.conflicts_with(other));
        // A provider serves many actors under one link name; only who picks its target by contract and name is torn.
        if let Some(other) = conflict.filter(|_| !self.calls_many(link)) {
            return Err(format!(
                "link already exists with different target, consider deleting the existing link or using a different \
                 link name (it leads to {})",
                other.target
            ));
        }
        self.lattice.put_link(link).await.map_err(|error| error.to_string())
    }

    /// Sources of `wasi:http` links are servers, which call whomever they are linked to, unless the link or what runs
    /// here says that the source is an actor.
    fn calls_many(&self, link: &Link) -> bool {
        let http = link.wit_namespace == "wasi" && link.wit_package == "http";
        let outgoing = link.interfaces.iter().any(|name| name == "outgoing-handler");
        http && !outgoing && self.actors.view(link.source.as_str()).is_none()
    }

    pub(super) async fn link_del(&self, body: &[u8]) -> Outcome {
        let command: DeleteLinkCommand = read("link delete", body)?;
        self.lattice.wait_current().await;
        let view = self.lattice.view();
        let matching = |link: &&Link| {
            link.source == command.source_id
                && link.name == command.name
                && link.wit_namespace == command.wit_namespace
                && link.wit_package == command.wit_package
                && command.target.as_ref().is_none_or(|target| *target == link.target)
        };
        // v1 names no target and takes away the first that fits.
        let most = if command.target.is_none() { 1 } else { usize::MAX };
        let found: Vec<&Link> = view.links.values().filter(matching).take(most).collect();
        if found.is_empty() && !view.links.values().any(|link| link.source == command.source_id) {
            return said("successfully deleted link (spec doesn't exist)");
        }
        for link in &found {
            let key: LinkKey = link.key().map_err(|error| error.to_string())?;
            self.lattice.delete_link(&key).await.map_err(|error| error.to_string())?;
        }
        let first = found.first();
        self.events.publish(&LinkdefDeleted {
            source_id: command.source_id.clone(),
            name: command.name.clone(),
            wit_namespace: command.wit_namespace.clone(),
            wit_package: command.wit_package.clone(),
            target: first.map(|link| link.target.clone()),
            interfaces: first.map(|link| link.interfaces.clone()),
        });
        said("successfully deleted link")
    }

    pub(super) async fn link_get(&self) -> Outcome<Vec<Link>> {
        self.lattice.wait_current().await;
        Ok(Answer::Data(self.lattice.view().links.values().cloned().collect()))
    }
}
