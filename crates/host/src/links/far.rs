//! How an end of a link stands on other hosts, as they tell it of themselves. Pure.

use std::collections::BTreeMap;

use lattice_core::{EntityId, HostId, HostedActor, HostedProvider, LinkKey, State};

use super::End;

/// An actor or provider on another host, as that host told it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FarEnd {
    host: HostId,
    /// The host's name for people.
    name: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Actor(State),
    Provider {
        state: State,
        /// Links that are not ready there.
        links: BTreeMap<LinkKey, State>,
        /// There are more of them than are told.
        more: bool,
    },
}

impl FarEnd {
    /// An actor, as its host tells it; none if it is being stopped, or is as only a later version can say.
    pub(crate) fn actor(host: &HostId, name: &str, told: &HostedActor) -> Option<Self> {
        // One that waits for a link of its own answers all the same.
        let state = if told.answers() { State::Ready } else { told.state.state()? };
        Self::new(host, name, Kind::Actor(state))
    }

    /// As [`FarEnd::actor`], for a provider.
    pub(crate) fn provider(host: &HostId, name: &str, told: &HostedProvider) -> Option<Self> {
        let links = told.links.iter().filter_map(|link| Some((link.key()?, link.state.state()?)));
        let kind =
            Kind::Provider { state: told.state.state()?, links: links.collect(), more: told.more_links };
        Self::new(host, name, kind)
    }

    fn new(host: &HostId, name: &str, kind: Kind) -> Option<Self> {
        let (Kind::Actor(state) | Kind::Provider { state, .. }) = &kind;
        let is_going = *state == State::Stopping;
        (!is_going).then(|| Self { host: host.clone(), name: name.to_owned(), kind })
    }

    fn has_failed(&self) -> bool {
        let (Kind::Actor(state) | Kind::Provider { state, .. }) = &self.kind;
        matches!(state, State::Failed(_))
    }

    /// How `link`, whose end `id` this is, fares there.
    fn state_of(&self, id: &EntityId, link: &LinkKey) -> State {
        let FarEnd { host, name, kind } = self;
        match kind {
            Kind::Actor(state) => match state {
                State::Failed(reason) | State::Pending(reason) => {
                    State::Pending(format!("{id} is {} on host {host} ({name}): {reason}", state.word()))
                }
                other => other.clone(),
            },
            Kind::Provider { state, links, more } => {
                let said = |reason: &str| format!("{id} on host {host} ({name}): {reason}");
                let state = match (links.get(link), state) {
                    (Some(told), _) => told,
                    // Some links do not fare well there; this one would have been told.
                    (None, State::Degraded(_)) if !more => &State::Ready,
                    (None, state) => state,
                };
                match state {
                    State::Pending(reason) => State::Pending(said(reason)),
                    State::Degraded(reason) => State::Degraded(said(reason)),
                    State::Failed(reason) => State::Failed(said(reason)),
                    other => other.clone(),
                }
            }
        }
    }
}

/// An actor or provider on all other hosts that have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FarEnds {
    /// On hosts that are alive.
    pub(crate) alive: Vec<FarEnd>,
    /// On hosts that are lost.
    pub(crate) lost: Vec<FarEnd>,
}

/// The end `id` of `link`, which does not run here: as well as on the best of the hosts that live and have it. Those that are
/// lost count where no other has it.
pub(crate) fn away(id: &EntityId, link: &LinkKey, ends: &FarEnds) -> End {
    // What stands most in the way is told, and of equals the first.
    let rank = |state: &State| match state {
        State::Ready => 0,
        State::Degraded(_) => 1,
        State::Failed(_) => 2,
        State::Starting => 3,
        _ => 4,
    };
    if let Some(best) = ends.alive.iter().map(|end| end.state_of(id, link)).min_by_key(rank) {
        return End::Away(best);
    }
    let ran = ends.lost.iter().filter(|end| !end.has_failed());
    let hosts: Vec<_> = ran.map(|end| (end.host.clone(), end.name.clone())).collect();
    if hosts.is_empty() { End::Nowhere } else { End::Lost(hosts) }
}

#[cfg(test)]
mod tests {
    use lattice_core::{Contract, HostedLink, HostedState};

    use super::*;

    fn host(letter: &str) -> HostId {
        HostId::new(format!("N{}", letter.repeat(55))).unwrap()
    }

    fn link(target: &str) -> LinkKey {
        LinkKey {
            source: "http".parse().unwrap(),
            target: target.parse().unwrap(),
            contract: Contract::http(),
            name: "default".parse().unwrap(),
        }
    }

    fn provider(letter: &str, state: &State, links: &[(&str, State)], more_links: bool) -> FarEnd {
        let told = HostedProvider {
            id: "http".parse().unwrap(),
            image: String::new(),
            state: state.into(),
            interfaces: None,
            links: links.iter().map(|(target, state)| HostedLink::new(&link(target), state)).collect(),
            more_links,
            process: false,
        };
        FarEnd::provider(&host(letter), "calm-otter-1", &told).unwrap()
    }

    fn actor(state: HostedState, concurrency: u32) -> Option<FarEnd> {
        let (id, image) = ("hello".parse().unwrap(), String::new());
        let told = HostedActor { id, image, digest: None, concurrency, state, exports: None };
        FarEnd::actor(&host("A"), "calm-otter-1", &told)
    }

    fn shown(id: &str, ends: &[FarEnd]) -> String {
        let ends = FarEnds { alive: ends.to_vec(), lost: Vec::new() };
        match away(&id.parse().unwrap(), &link("hello"), &ends) {
            End::Away(state) => state.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_provider_s_links_fare_as_its_host_tells() {
        let in_use = State::Failed("address in use".into());
        let partly = State::Degraded("1 of 2 links failed".into());
        let told = format!("failed: http on host {} (calm-otter-1): address in use", host("A"));
        assert_eq!(shown("http", &[]), "Nowhere");
        assert_eq!(shown("http", &[provider("A", &State::Ready, &[], false)]), "ready");
        assert_eq!(shown("http", &[provider("A", &in_use, &[], false)]), told);
        assert_eq!(shown("http", &[provider("A", &partly, &[("hello", in_use.clone())], false)]), told);
        assert_eq!(shown("http", &[provider("A", &partly, &[("other", in_use.clone())], false)]), "ready");
        let unsure = shown("http", &[provider("A", &partly, &[("other", in_use.clone())], true)]);
        assert!(unsure.starts_with("degraded: http on host") && unsure.ends_with("1 of 2 links failed"));
        // As well as on the best host, and of equals as on the first.
        let both = [provider("A", &in_use, &[], false), provider("B", &in_use, &[], false)];
        assert_eq!(shown("http", &both), told);
        let both = [provider("A", &in_use, &[], false), provider("B", &State::Ready, &[], false)];
        assert_eq!(shown("http", &both), "ready");
    }

    #[test]
    fn lost_hosts_count_where_no_other_has_it() {
        let ready = || HostedState::from(&State::Ready);
        let failed = HostedState::from(&State::Failed("no such image".into()));
        let away = |alive: Vec<FarEnd>, lost: Vec<FarEnd>| {
            away(&"hello".parse().unwrap(), &link("hello"), &FarEnds { alive, lost })
        };
        let one = || vec![actor(ready(), 1).unwrap()];
        assert_eq!(away(one(), one()), End::Away(State::Ready));
        assert_eq!(away(vec![], one()), End::Lost(vec![(host("A"), "calm-otter-1".to_owned())]));
        assert_eq!(
            away(vec![], vec![actor(failed, 0).unwrap()]),
            End::Nowhere,
            "it did not run there, either"
        );
    }

    #[test]
    fn an_actor_that_does_not_run_is_waited_for_and_its_host_says_why() {
        let state = |state: State| HostedState::from(&state);
        let waits = state(State::Pending("no link for wasi:keyvalue".into()));
        assert_eq!(shown("hello", &[actor(waits.clone(), 1).unwrap()]), "ready", "it answers");
        let at = format!("on host {} (calm-otter-1)", host("A"));
        assert_eq!(
            shown("hello", &[actor(waits, 0).unwrap()]),
            format!("pending: hello is pending {at}: no link for wasi:keyvalue")
        );
        assert_eq!(
            shown("hello", &[actor(state(State::Failed("no such image".into())), 0).unwrap()]),
            format!("pending: hello is failed {at}: no such image")
        );
        assert_eq!(shown("hello", &[actor(state(State::Starting), 0).unwrap()]), "starting");
        assert!(actor(state(State::Stopping), 1).is_none());
        assert!(actor(HostedState { word: "dreaming".into(), reason: None }, 1).is_none());
    }
}
