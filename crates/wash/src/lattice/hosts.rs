//! Which hosts there are, and which one is meant.

use futures::{StreamExt as _, stream};
use lattice_control_interface::{Host, HostInventory, LostHost};
use lattice_core::HostId;

use super::{Session, failed};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
};

/// How many hosts are asked for their inventory at once.
const AT_ONCE: usize = 16;

/// All hosts that answer; none is a failure, since nothing can be asked of a lattice without hosts.
pub(crate) async fn all_hosts(session: &Session) -> Outcome<Vec<Host>> {
    let hosts = session.client.get_hosts(session.collect()).await.map_err(failed)?;
    if hosts.is_empty() {
        let lattice = session.client.lattice().clone();
        return Err(failed(lattice_control_interface::ControlError::NoHosts { lattice }));
    }
    Ok(hosts)
}

/// The hosts that some of `hosts` take to be lost, each once, by id; whoever answers is not lost. Taken out of the answers.
pub(crate) fn lost_of(hosts: &mut [Host]) -> Vec<LostHost> {
    let mut lost: Vec<LostHost> = hosts.iter_mut().flat_map(|host| std::mem::take(&mut host.lost)).collect();
    lost.retain(|one| hosts.iter().all(|host| host.id != one.id));
    lost.sort_by(|a, b| a.id.cmp(&b.id));
    lost.dedup_by(|a, b| a.id == b.id);
    lost
}

/// What runs on every host that answers, in the order of their ids. A host that stops meanwhile is left out.
pub(crate) async fn all_inventories(session: &Session) -> Outcome<Vec<HostInventory>> {
    let hosts = all_hosts(session).await?;
    inventories_of(session, &hosts).await
}

/// What runs on each of these hosts. One that stops meanwhile is left out.
pub(crate) async fn inventories_of(session: &Session, hosts: &[Host]) -> Outcome<Vec<HostInventory>> {
    let asked = hosts.iter().map(|host| session.client.get_host_inventory(&host.id));
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let mut inventories = Vec::new();
    let mut last = None;
    for answer in answers {
        match answer {
            Ok(inventory) => inventories.push(inventory),
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) if inventories.is_empty() => Err(failed(error)),
        _ => Ok(inventories),
    }
}

/// The host that `wanted` means: a whole id, the first characters of one, or a friendly name.
pub(crate) async fn resolve_host(session: &Session, wanted: &str) -> Outcome<HostId> {
    if let Ok(id) = HostId::new(wanted) {
        return Ok(id);
    }
    let hosts = all_hosts(session).await?;
    let named: Vec<Named<'_>> = hosts.iter().map(Named::from).collect();
    one_of(&named, wanted).map(|host| host.id.clone())
}

/// As [`resolve_host`], with the hosts that are lost among those that may be meant.
pub(crate) async fn resolve_host_or_lost(session: &Session, wanted: &str) -> Outcome<HostId> {
    if let Ok(id) = HostId::new(wanted) {
        return Ok(id);
    }
    let mut hosts = all_hosts(session).await?;
    let lost = lost_of(&mut hosts);
    let named: Vec<Named<'_>> = lost.iter().map(Named::from).chain(hosts.iter().map(Named::from)).collect();
    one_of(&named, wanted).map(|host| host.id.clone())
}

/// A host by its two names.
#[derive(Debug, Clone, Copy)]
struct Named<'a> {
    id: &'a HostId,
    friendly_name: &'a str,
}

impl<'a> From<&'a Host> for Named<'a> {
    fn from(host: &'a Host) -> Self {
        Self { id: &host.id, friendly_name: &host.friendly_name }
    }
}

impl<'a> From<&'a LostHost> for Named<'a> {
    fn from(host: &'a LostHost) -> Self {
        Self { id: &host.id, friendly_name: &host.friendly_name }
    }
}

fn one_of<'a>(hosts: &[Named<'a>], wanted: &str) -> Outcome<Named<'a>> {
    let upper = wanted.to_ascii_uppercase();
    let means = |host: &&Named<'a>| {
        !wanted.is_empty()
            && (host.id.as_str().starts_with(&upper) || host.friendly_name.eq_ignore_ascii_case(wanted))
    };
    let found: Vec<Named<'a>> = hosts.iter().filter(means).copied().collect();
    let list = |hosts: &[Named<'a>]| {
        hosts
            .iter()
            .map(|host| format!("{} ({})", host.id, host.friendly_name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match found.as_slice() {
        [host] => Ok(*host),
        [] => {
            let text = format!("no host is called {wanted:?}");
            Err(Failure::say(Exit::Refused, text).help(format!("there are {}", list(hosts))))
        }
        several => {
            let text = format!("{wanted:?} could be any of {} hosts", several.len());
            Err(Failure::say(Exit::Refused, text).help(format!("write more of it: {}", list(several))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(letters: &str, name: &str) -> Host {
        let id = format!("N{letters}{}", "A".repeat(55 - letters.len()));
        serde_json::from_value(serde_json::json!({ "id": id, "friendly_name": name })).unwrap()
    }

    #[test]
    fn by_prefix_and_by_name() {
        let hosts = [host("BC", "calm-otter-1"), host("BD", "warm-reef-2")];
        let hosts = hosts.each_ref().map(Named::from);
        assert_eq!(one_of(&hosts, "nbc").unwrap().friendly_name, "calm-otter-1");
        assert_eq!(one_of(&hosts, "Warm-Reef-2").unwrap().friendly_name, "warm-reef-2");
        for (wanted, said) in
            [("NB", "any of 2 hosts"), ("x", "no host is called"), ("", "no host is called")]
        {
            let failure = one_of(&hosts, wanted).unwrap_err();
            assert!(failure.text().contains(said), "{wanted}: {}", failure.text());
        }
    }
}
