//! Where something is to run: a pure choice among the hosts that offer.

use std::collections::BTreeMap;

use crate::{HostId, Labels};

/// The label by which replicas are spread: hosts of one site fail together.
const SITE: &str = "site";

/// What a host offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Who offers.
    pub host: HostId,
    /// Its labels.
    pub labels: Labels,
    /// True if it runs what is to be placed already.
    pub runs_it: bool,
    /// How many actors and providers run there.
    pub workloads: usize,
    /// Calls that are being served there, or wait.
    pub calls: u64,
}

/// What is to be placed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// On how many hosts.
    pub replicas: usize,
    /// Labels that each of them must have.
    pub constraints: BTreeMap<String, String>,
}

/// The hosts it should run on, best first: as many as there shall be replicas, or all that may be taken where there are
/// fewer. A host gets one replica.
///
/// Where it runs already it stays, as far as labels allow. Further replicas go where the fewest are: to the site (label
/// `site`) with the fewest replicas, there to the host with the fewest workloads, the fewest calls, and the smallest id.
/// The order of the offers does not matter, so whoever chooses chooses the same.
#[must_use]
pub fn place(wanted: &Placement, offers: &[Offer]) -> Vec<HostId> {
    let mut open: Vec<&Offer> =
        offers.iter().filter(|offer| offer.labels.satisfy(&wanted.constraints)).collect();
    open.sort_by(|a, b| a.host.cmp(&b.host));
    open.dedup_by(|a, b| a.host == b.host);
    let mut in_site: BTreeMap<Option<&String>, usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    while chosen.len() < wanted.replicas {
        let site = |offer: &Offer| in_site.get(&offer.labels.0.get(SITE)).copied().unwrap_or(0);
        let cost = |offer: &Offer| (!offer.runs_it, site(offer), offer.workloads, offer.calls);
        // The first of equals is the one with the smallest id.
        let Some(best) = (0..open.len()).min_by_key(|index| cost(open[*index])) else { break };
        let offer = open.remove(best);
        *in_site.entry(offer.labels.0.get(SITE)).or_default() += 1;
        chosen.push(offer.host.clone());
    }
    chosen
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn offer(letter: &str, site: Option<&str>, runs_it: bool, workloads: usize, calls: u64) -> Offer {
        let labels = site.map(|site| (SITE.to_owned(), site.to_owned())).into_iter().collect();
        let host = HostId::new(format!("N{}", letter.repeat(55))).unwrap();
        Offer { host, labels: Labels(labels), runs_it, workloads, calls }
    }

    fn letters(hosts: &[HostId]) -> String {
        hosts.iter().map(|host| &host.as_str()[1..2]).collect()
    }

    #[test]
    fn where_it_runs_then_where_the_fewest_are() {
        let offers = [
            offer("A", None, false, 3, 0),
            offer("B", None, false, 1, 9),
            offer("C", None, false, 1, 2),
            offer("D", None, true, 9, 90),
        ];
        let replicas = |replicas| Placement { replicas, ..Placement::default() };
        assert_eq!(letters(&place(&replicas(1), &offers)), "D");
        assert_eq!(letters(&place(&replicas(9), &offers)), "DCBA");
        assert_eq!(letters(&place(&replicas(0), &offers)), "");
    }

    #[test]
    fn sites_take_turns_and_constraints_bind() {
        let offers = [
            offer("A", Some("plant"), true, 1, 0),
            offer("B", Some("plant"), false, 0, 0),
            offer("C", Some("shop"), false, 5, 0),
            offer("D", Some("shop"), false, 7, 0),
        ];
        let all = Placement { replicas: 4, ..Placement::default() };
        assert_eq!(letters(&place(&all, &offers)), "ACBD");
        let shop = Placement { constraints: [(SITE.to_owned(), "shop".to_owned())].into(), ..all };
        assert_eq!(letters(&place(&shop, &offers)), "CD");
    }

    fn offers() -> impl Strategy<Value = Vec<Offer>> {
        let one = ("[A-H]", proptest::option::of("[xyz]"), any::<bool>(), 0_usize..4, 0_u64..4);
        let one = one.prop_map(|(letter, site, runs, workloads, calls)| {
            offer(&letter, site.as_deref(), runs, workloads, calls)
        });
        proptest::collection::vec(one, 0..10).prop_map(|mut offers: Vec<Offer>| {
            offers.sort_by(|a, b| a.host.cmp(&b.host));
            offers.dedup_by(|a, b| a.host == b.host);
            offers
        })
    }

    proptest! {
        #[test]
        fn as_many_as_possible_each_once_and_whoever_chooses_chooses_the_same(
            offers in offers(),
            replicas in 0_usize..10,
            site in proptest::option::of("[xyz]"),
            turn in 0_usize..10,
        ) {
            let constraints: BTreeMap<_, _> = site.map(|site| (SITE.to_owned(), site)).into_iter().collect();
            let wanted = Placement { replicas, constraints };
            let chosen = place(&wanted, &offers);
            let may: Vec<&Offer> = offers.iter().filter(|offer| offer.labels.satisfy(&wanted.constraints)).collect();
            prop_assert_eq!(chosen.len(), replicas.min(may.len()));
            let set: BTreeSet<&HostId> = chosen.iter().collect();
            prop_assert_eq!(set.len(), chosen.len());
            prop_assert!(chosen.iter().all(|host| may.iter().any(|offer| offer.host == *host)));
            // It leaves no host on which it runs for one on which it does not.
            let stays = may.iter().filter(|offer| offer.runs_it && set.contains(&offer.host)).count();
            prop_assert_eq!(stays, replicas.min(may.iter().filter(|offer| offer.runs_it).count()));
            let mut other_order = offers.clone();
            other_order.reverse();
            let by = turn % other_order.len().max(1);
            other_order.rotate_left(by);
            prop_assert_eq!(place(&wanted, &other_order), chosen);
        }

        #[test]
        fn new_replicas_are_spread_evenly_over_sites_that_have_room(sizes in proptest::collection::vec(1_usize..5, 1..4), replicas in 0_usize..12) {
            let hosts = |(site, count): (usize, &usize)| (0..*count).map(move |number| (site, number)).collect::<Vec<_>>();
            let all: Vec<_> = sizes.iter().enumerate().flat_map(hosts).collect();
            let letter = |index: usize| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index]).to_string();
            let offers: Vec<Offer> = all.iter().enumerate().map(|(index, (site, _))| {
                offer(&letter(index), Some(&letter(*site)), false, 0, 0)
            }).collect();
            let chosen = place(&Placement { replicas, ..Placement::default() }, &offers);
            let got = |site: usize| {
                let name = letter(site);
                offers.iter().filter(|offer| offer.labels.0[SITE] == name && chosen.contains(&offer.host)).count()
            };
            let most = (0..sizes.len()).map(got).max().unwrap_or(0);
            for (site, size) in sizes.iter().enumerate() {
                prop_assert!(got(site) + 1 >= most.min(*size + 1), "site {} has {} of {}", site, got(site), most);
            }
        }
    }
}
