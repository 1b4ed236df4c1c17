//! Where something is to run.

use std::collections::BTreeMap;

use lattice_control_interface::{ComponentAuctionRequest, Host, HostInventory, ProviderAuctionRequest};
use lattice_core::{HostId, Offer, Placement, place};

use super::{Session, all_hosts, all_inventories, failed, resolve_host};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
};

/// What is to run.
#[derive(Debug, Clone)]
pub(crate) enum Workload {
    Actor { id: String, image: String },
    Provider { id: String, image: String },
}

/// Where it may run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// This host: an id, the first characters of one, or a friendly name.
    pub(crate) host: Option<String>,
    /// Labels that the host must have.
    pub(crate) constraints: BTreeMap<String, String>,
}

/// The host named; else the only one; else the one of the bidders in an auction that has the least to do.
pub(crate) async fn choose(session: &Session, workload: &Workload, wanted: &Wanted) -> Outcome<HostId> {
    if let Some(host) = &wanted.host {
        return resolve_host(session, host).await;
    }
    let hosts = all_hosts(session).await?;
    match only(&hosts, &wanted.constraints)? {
        Some(host) => Ok(host.id.clone()),
        None => auction(session, workload, wanted).await,
    }
}

/// The only host, if there is only one. One without the labels is a refusal that needs no auction.
fn only<'h>(hosts: &'h [Host], constraints: &BTreeMap<String, String>) -> Outcome<Option<&'h Host>> {
    let [host] = hosts else { return Ok(None) };
    let missing: Vec<String> = constraints
        .iter()
        .filter(|(key, value)| host.labels.0.get(*key) != Some(value))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if missing.is_empty() {
        return Ok(Some(host));
    }
    let text = format!(
        "the only host, {} ({}), does not have the label {}",
        host.id,
        host.friendly_name,
        missing.join(", ")
    );
    Err(Failure::say(Exit::Refused, text)
        .help("leave the constraint out, or start a host with it: wash up --label KEY=VALUE"))
}

async fn auction(session: &Session, workload: &Workload, wanted: &Wanted) -> Outcome<HostId> {
    let collect = session.collect();
    let constraints = wanted.constraints.clone();
    let (what, bidders) = match workload {
        Workload::Actor { id, image } => {
            let request = ComponentAuctionRequest {
                component_ref: image.clone(),
                component_id: id.clone(),
                constraints,
            };
            let bids = session.client.auction_component(&request, collect).await.map_err(failed)?;
            (format!("actor {id}"), bids.into_iter().map(|bid| bid.host_id).collect::<Vec<_>>())
        }
        Workload::Provider { id, image } => {
            let request =
                ProviderAuctionRequest { provider_ref: image.clone(), provider_id: id.clone(), constraints };
            let bids = session.client.auction_provider(&request, collect).await.map_err(failed)?;
            (format!("provider {id}"), bids.into_iter().map(|bid| bid.host_id).collect())
        }
    };
    best(session, bidders, wanted).await?.ok_or_else(|| {
        let text = format!(
            "no host offers to run {what}: each runs it already, or lacks a label that was asked for"
        );
        Failure::say(Exit::Refused, text)
            .help("see `wash get inventory`; name a host with --host-id to use it all the same")
    })
}

/// Of several bidders the one with the least to do.
async fn best(session: &Session, bidders: Vec<HostId>, wanted: &Wanted) -> Outcome<Option<HostId>> {
    if bidders.len() < 2 {
        return Ok(bidders.into_iter().next());
    }
    let inventories = all_inventories(session).await?;
    let bid = inventories.iter().filter(|host| bidders.contains(&host.host_id));
    let offers: Vec<Offer> = bid.map(|host| offer(host, false)).collect();
    let placement = Placement { replicas: 1, constraints: wanted.constraints.clone() };
    // Bidders that stopped since are none any more; of those that only tell nothing one is as good as any.
    Ok(place(&placement, &offers).into_iter().next().or_else(|| bidders.into_iter().next()))
}

/// What a host has to do, as its inventory tells.
pub(crate) fn offer(host: &HostInventory, runs_it: bool) -> Offer {
    let calls = host.components.iter().map(|one| one.in_flight.unwrap_or(0) + one.waiting.unwrap_or(0)).sum();
    Offer {
        host: host.host_id.clone(),
        labels: host.labels.clone(),
        runs_it,
        workloads: host.components.len() + host.providers.len(),
        calls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_host_needs_no_auction() {
        let host = |zone: &str| -> Host {
            let id = format!("N{}", "A".repeat(55));
            serde_json::from_value(serde_json::json!({ "id": id, "labels": { "zone": zone } })).unwrap()
        };
        let edge = BTreeMap::from([("zone".to_owned(), "edge".to_owned())]);
        assert!(only(&[host("edge")], &edge).unwrap().is_some());
        assert!(only(&[host("edge"), host("edge")], &edge).unwrap().is_none());
        let failure = only(&[host("lab")], &edge).unwrap_err();
        assert!(failure.text().contains("zone=edge"), "{}", failure.text());
    }
}
