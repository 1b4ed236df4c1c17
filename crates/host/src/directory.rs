//! Who runs what in the lattice: host facts and presence, put together for cheap reads.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use lattice_control_interface::LostHost;
use lattice_core::{EntityId, HostFact, HostId, LinkKey};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    about::SITE,
    lattice::Lattice,
    links::{End, FarEnd, FarEnds, away},
    presence::{Sightings, Standing},
};

/// Another host that answers for a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) host: HostId,
    /// False for a host that is lost or has stopped, or that this one has not heard yet: it gets no calls.
    pub(crate) alive: bool,
    /// How busy it is, in thousandths.
    pub(crate) load: u16,
    /// Its label `site`.
    pub(crate) site: Option<String>,
}

/// One moment's answers.
#[derive(Debug, Default)]
struct Snapshot {
    /// Other hosts by what they run; those that run nothing are in none.
    by_target: BTreeMap<EntityId, Arc<[Candidate]>>,
    nobody: Arc<[Candidate]>,
    /// Providers that are processes of their own, on any host, this one too; and whether they are well somewhere.
    processes: BTreeMap<EntityId, bool>,
    /// What runs or shall run on other hosts, well or not.
    ends: BTreeMap<EntityId, FarEnds>,
    seen: Arc<Sightings>,
}

/// Who runs what on hosts other than this one; cheap to clone, reads never wait.
#[derive(Clone)]
pub(crate) struct Directory {
    snapshot: Arc<RwLock<Arc<Snapshot>>>,
    me: HostId,
    lattice: Lattice,
}

impl Directory {
    pub(crate) fn new(me: HostId, lattice: Lattice) -> Self {
        let directory = Self { snapshot: Arc::default(), me, lattice };
        directory.rebuild(Arc::default());
        directory
    }

    /// The other hosts that answer for `target` (an actor or provider), by id; what runs here is not asked of the directory.
    pub(crate) fn hosts_of(&self, target: &EntityId) -> Arc<[Candidate]> {
        let snapshot = self.read();
        snapshot.by_target.get(target).unwrap_or(&snapshot.nobody).clone()
    }

    /// True if some host says that `target` is a process of its own, which takes its calls itself.
    pub(crate) fn is_process(&self, target: &EntityId) -> bool {
        self.read().processes.contains_key(target)
    }

    /// True if one of those processes is well somewhere.
    pub(crate) fn is_process_that_answers(&self, target: &EntityId) -> bool {
        self.read().processes.get(target) == Some(&true)
    }

    /// Where the end `id` of `link` is, which does not run here, and how it is.
    pub(crate) fn away(&self, id: &EntityId, link: &LinkKey) -> End {
        away(id, link, self.read().ends.get(id).unwrap_or(&FarEnds::default()))
    }

    /// How another host stands; none where presence does not know it.
    pub(crate) fn standing(&self, host: &HostId) -> Option<Standing> {
        self.read().seen.get(host).map(|sighting| sighting.standing)
    }

    /// How many other hosts are heard.
    pub(crate) fn peers(&self) -> u32 {
        let seen = self.read().seen.clone();
        let alive = seen.values().filter(|sighting| sighting.standing == Standing::Alive);
        u32::try_from(alive.count()).unwrap_or(u32::MAX)
    }

    /// The hosts that are lost, with what they last told of themselves, by id.
    pub(crate) fn lost(&self) -> Vec<LostHost> {
        let (seen, view) = (self.read().seen.clone(), self.lattice.view());
        let lost = seen.iter().filter(|(_, sighting)| sighting.standing == Standing::Lost);
        lost.filter_map(|(host, _)| Some(describe(host, view.hosts.get(host)?))).collect()
    }

    /// Rebuilds at every change of facts and of presence until stopped.
    pub(crate) async fn keep(self, mut seen: watch::Receiver<Arc<Sightings>>, stop: CancellationToken) {
        let mut changed = self.lattice.changed().listen();
        loop {
            changed.borrow_and_update();
            let sightings = seen.borrow_and_update().clone();
            self.rebuild(sightings);
            tokio::select! {
                () = stop.cancelled() => return,
                heard = changed.changed() => if heard.is_err() { return },
                heard = seen.changed() => if heard.is_err() { return },
            }
        }
    }

    fn read(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes facts and presence as they are. Listeners of this host's changes are told when another host answers for
    /// something, or no longer does, or tells another state of it; not of loads, which change all the time.
    fn rebuild(&self, seen: Arc<Sightings>) {
        let (old, new) = (self.read(), Arc::new(build(&self.me, &self.lattice.view().hosts, seen)));
        let is_news = new.ends != old.ends || !new.places().eq(old.places());
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = new;
        if is_news {
            self.lattice.changed().tell();
        }
    }
}

impl Snapshot {
    /// Who answers for what, and where, without loads.
    fn places(&self) -> impl Iterator<Item = (&EntityId, &HostId, bool, Option<&String>)> {
        self.by_target.iter().flat_map(|(target, hosts)| {
            hosts.iter().map(move |one| (target, &one.host, one.alive, one.site.as_ref()))
        })
    }
}

fn describe(host: &HostId, told: &HostFact) -> LostHost {
    LostHost {
        id: host.clone(),
        friendly_name: told.name.clone(),
        labels: told.labels.clone(),
        version: told.version.clone(),
        actors: told.actors.iter().map(|actor| actor.id.clone()).collect(),
        providers: told.providers.iter().map(|provider| provider.id.clone()).collect(),
    }
}

fn build(me: &HostId, facts: &BTreeMap<HostId, HostFact>, seen: Arc<Sightings>) -> Snapshot {
    let mut by_target: BTreeMap<EntityId, Vec<Candidate>> = BTreeMap::new();
    for (host, fact) in facts.iter().filter(|(host, _)| *host != me) {
        let sighting = seen.get(host);
        let candidate = Candidate {
            host: host.clone(),
            alive: sighting.is_some_and(|sighting| sighting.standing == Standing::Alive),
            load: sighting.map_or(0, |sighting| sighting.load),
            site: fact.labels.0.get(SITE).cloned(),
        };
        let actors = fact.actors.iter().filter(|actor| actor.answers()).map(|actor| actor.id.as_str());
        // One that is a process of its own takes calls itself, of whoever makes them.
        let built_in = fact.providers.iter().filter(|one| one.answers() && !one.process);
        let providers = built_in.map(|one| one.id.as_str());
        for id in actors.chain(providers) {
            // Ids of actors and providers are ids of entities.
            let Ok(target) = EntityId::new(id) else { continue };
            by_target.entry(target).or_default().push(candidate.clone());
        }
    }
    let mut processes: BTreeMap<EntityId, bool> = BTreeMap::new();
    for one in facts.values().flat_map(|fact| &fact.providers).filter(|one| one.process) {
        *processes.entry(one.id.clone().into()).or_default() |= one.answers();
    }
    let ends = ends(me, facts, &seen);
    let by_target = by_target.into_iter().map(|(target, hosts)| (target, hosts.into())).collect();
    Snapshot { by_target, nobody: Arc::default(), processes, ends, seen }
}

/// What other hosts that live or are lost have or shall have, well or not.
pub(crate) fn ends(
    me: &HostId,
    facts: &BTreeMap<HostId, HostFact>,
    seen: &Sightings,
) -> BTreeMap<EntityId, FarEnds> {
    let mut ends: BTreeMap<EntityId, FarEnds> = BTreeMap::new();
    for (host, fact) in facts.iter().filter(|(host, _)| *host != me) {
        let standing = seen.get(host).map(|sighting| sighting.standing);
        for (id, end) in ends_of(host, fact) {
            match standing {
                Some(Standing::Alive) => ends.entry(id).or_default().alive.push(end),
                Some(Standing::Lost) => ends.entry(id).or_default().lost.push(end),
                // It has stopped, or was never heard.
                _ => {}
            }
        }
    }
    ends
}

/// What a host has or shall have.
fn ends_of<'a>(host: &'a HostId, fact: &'a HostFact) -> impl Iterator<Item = (EntityId, FarEnd)> + 'a {
    let name = &fact.name;
    let actors = fact.actors.iter().map(move |one| (one.id.as_str(), FarEnd::actor(host, name, one)));
    let providers =
        fact.providers.iter().map(move |one| (one.id.as_str(), FarEnd::provider(host, name, one)));
    actors.chain(providers).filter_map(|(id, end)| Some((EntityId::new(id).ok()?, end?)))
}

#[cfg(test)]
mod tests {
    use lattice_core::{HostedActor, State};

    use super::*;
    use crate::presence::Sighting;

    fn host(letter: &str) -> HostId {
        HostId::new(format!("N{}", letter.repeat(55))).unwrap()
    }

    fn fact(state: &State) -> HostFact {
        let actor = HostedActor {
            id: "hello".parse().unwrap(),
            image: String::new(),
            digest: None,
            concurrency: 1,
            state: state.into(),
            exports: None,
        };
        let labels = lattice_core::Labels([(SITE.to_owned(), "plant".to_owned())].into());
        HostFact { actors: vec![actor], labels, ..HostFact::default() }
    }

    #[test]
    fn other_hosts_that_answer_and_whether_they_live() {
        let facts = BTreeMap::from([
            (host("A"), fact(&State::Ready)),
            (host("B"), fact(&State::Failed("no".into()))),
            (host("C"), fact(&State::Ready)),
            (host("D"), fact(&State::Pending("no link".into()))),
            (host("E"), fact(&State::Ready)),
        ]);
        let sighting = |standing, load| Sighting { standing, load };
        let seen = Sightings::from([
            (host("C"), sighting(Standing::Alive, 7)),
            (host("D"), sighting(Standing::Lost, 0)),
        ]);
        let built = build(&host("A"), &facts, Arc::new(seen));
        let of = &built.by_target["hello"];
        let hosts: Vec<_> = of.iter().map(|one| (one.host.clone(), one.alive, one.load)).collect();
        assert_eq!(hosts, [(host("C"), true, 7), (host("D"), false, 0), (host("E"), false, 0)]);
        assert_eq!(of[0].site.as_deref(), Some("plant"));
        assert_eq!(built.by_target.len(), 1);
    }

    #[test]
    fn why_an_end_is_not_well_is_told_of_hosts_that_live() {
        let facts = BTreeMap::from([
            (host("B"), fact(&State::Failed("no such image".into()))),
            (host("C"), fact(&State::Failed("of a lost host".into()))),
        ]);
        let sighting = |standing| Sighting { standing, load: 0 };
        let seen = [(host("B"), sighting(Standing::Alive)), (host("C"), sighting(Standing::Lost))];
        let built = build(&host("A"), &facts, Arc::new(seen.into()));
        let link = LinkKey {
            source: "http".parse().unwrap(),
            target: "hello".parse().unwrap(),
            contract: lattice_core::Contract::http(),
            name: "default".parse().unwrap(),
        };
        let End::Away(state) = away(&link.target, &link, &built.ends["hello"]) else { panic!("not away") };
        assert!(state.to_string().contains("no such image"), "{state}");
        assert!(built.by_target.is_empty(), "it gets no calls");
    }

    #[test]
    fn an_end_that_only_a_lost_host_has_is_lost_with_it() {
        let facts = BTreeMap::from([
            (host("B"), fact(&State::Ready)),
            (host("C"), fact(&State::Ready)),
            (host("D"), fact(&State::Ready)),
        ]);
        let sighting = |standing| Sighting { standing, load: 0 };
        let lost = (host("C"), sighting(Standing::Lost));
        let seen = Sightings::from([(host("B"), sighting(Standing::Gone)), lost.clone()]);
        let of = |seen: Sightings| build(&host("A"), &facts, Arc::new(seen)).ends.remove("hello").unwrap();
        let ends = of(seen);
        assert_eq!((ends.alive.len(), ends.lost.len()), (0, 1), "one has stopped, one was never heard");
        let ends = of(Sightings::from([(host("D"), sighting(Standing::Alive)), lost]));
        assert_eq!((ends.alive.len(), ends.lost.len()), (1, 1));
    }
}
