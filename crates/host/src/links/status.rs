//! How a link fares, as seen from one host: where its ends run, how far it may go, and what its provider reports. Pure.

use lattice_core::{Distance, HostId, Link, State};

/// Who asks: the host that the state is seen from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// Its id.
    pub(crate) host: &'a HostId,
    /// Its name for people.
    pub(crate) name: &'a str,
}

/// Where one end of a link runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// In this host.
    Here,
    /// On another host that is alive; how the link fares there.
    Away(State),
    /// On no host that is alive, and on these that are lost, by id and name; there is one at least.
    Lost(Vec<(HostId, String)>),
    /// On no host.
    Nowhere,
}

/// What this host knows of a link's ends.
#[derive(Debug, Clone)]
pub(crate) struct Ends<'a> {
    pub(crate) source: End,
    pub(crate) target: End,
    /// True if the end that runs here, or one of them, is a provider.
    pub(crate) provider_here: bool,
    /// What the provider end says of the link, where it runs here and has spoken.
    pub(crate) reported: Option<&'a State>,
}

/// The link's state on this host; `None` where neither end runs here, so that it is none of its business.
///
/// A link is ready when each end runs somewhere and is well there: each host's own instance of a provider serves the link
/// there, and what it cannot do is told to the hosts that have the other end alone.
pub(crate) fn status(link: &Link, ends: &Ends<'_>, seen: Seen<'_>) -> Option<State> {
    let Ends { source, target, reported, .. } = ends;
    if *source != End::Here && *target != End::Here {
        return None;
    }
    // What the provider cannot do matters more than who is missing: it would fail all the same.
    if let Some(State::Failed(reason)) = reported {
        return Some(State::Failed(reason.clone()));
    }
    let mut ends_by_id = [(source, &link.source), (target, &link.target)].into_iter();
    let missing = ends_by_id.find(|(end, _)| **end != End::Here);
    // A provider calls actors and is called by actors, so the other end of the one is the other; a contract that the lattice
    // does not know is between actors.
    let known = link.contract().is_ok_and(|contract| lattice_core::known(&contract).is_some());
    let kind = if ends.provider_here || !known { "actor" } else { "provider" };
    let state = match missing {
        Some((_, id)) if link.distance == Distance::Local => {
            let Seen { host, name } = seen;
            State::Pending(format!(
                "{id} does not run on host {host} ({name}), and the link keeps calls there (distance local): \
                 wash start {kind} IMAGE {id} --host-id {host}"
            ))
        }
        Some((End::Nowhere, id)) => {
            State::Pending(format!("{id} runs nowhere: wash start {kind} IMAGE {id}"))
        }
        Some((End::Lost(hosts), id)) => State::Pending(format!(
            "{id} runs only on {}, or wash start {kind} IMAGE {id}",
            which_is_lost(hosts)
        )),
        Some((End::Away(state), _)) if *state != State::Ready => state.clone(),
        _ => {
            let unheard = if ends.provider_here { State::Starting } else { State::Ready };
            (*reported).cloned().unwrap_or(unheard)
        }
    };
    Some(state)
}

/// How many lost hosts are named.
const LOST_NAMED: usize = 3;

fn which_is_lost(hosts: &[(HostId, String)]) -> String {
    let named = hosts.iter().take(LOST_NAMED).map(|(id, name)| format!("{id} ({name})"));
    let named = named.collect::<Vec<_>>().join(", ");
    match hosts.len() {
        0 | 1 => format!("host {named}, which is lost: bring it back"),
        all if all <= LOST_NAMED => format!("hosts {named}, which are lost: bring one back"),
        all => format!("hosts {named} and {} more, which are lost: bring one back", all - LOST_NAMED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: End = End::Here;
    const AWAY: End = End::Away(State::Ready);
    const NOWHERE: End = End::Nowhere;

    fn host() -> HostId {
        HostId::new(format!("N{}", "A".repeat(55))).unwrap()
    }

    fn link(distance: Distance) -> Link {
        let json = r#"{"source_id":"http","target":"hello","wit_namespace":"wasi","wit_package":"http"}"#;
        Link { distance, ..serde_json::from_str(json).unwrap() }
    }

    fn shown(distance: Distance, source: End, target: End, reported: Option<&State>) -> Option<String> {
        let host = host();
        let seen = Seen { host: &host, name: "amber-bay-0042" };
        let provider_here = source == End::Here;
        let ends = Ends { source, target, provider_here, reported };
        status(&link(distance), &ends, seen).map(|state| state.to_string())
    }

    #[test]
    fn states_by_where_the_ends_run_and_what_is_said() {
        let failed = State::Failed("address in use".into());
        let near = |source, target, reported| shown(Distance::PreferLocal, source, target, reported);
        assert_eq!(near(NOWHERE, AWAY, None), None);
        assert_eq!(near(HERE, HERE, None).as_deref(), Some("starting"));
        assert_eq!(near(HERE, HERE, Some(&State::Ready)).as_deref(), Some("ready"));
        assert_eq!(near(HERE, AWAY, Some(&State::Ready)).as_deref(), Some("ready"));
        assert_eq!(near(AWAY, HERE, None).as_deref(), Some("ready"), "the provider answers on another host");
        for target in [HERE, AWAY, NOWHERE] {
            assert_eq!(near(HERE, target, Some(&failed)).as_deref(), Some("failed: address in use"));
        }
        assert_eq!(
            near(HERE, NOWHERE, Some(&State::Ready)).unwrap(),
            "pending: hello runs nowhere: wash start actor IMAGE hello"
        );
        assert_eq!(
            near(NOWHERE, HERE, None).unwrap(),
            "pending: http runs nowhere: wash start provider IMAGE http"
        );
    }

    #[test]
    fn an_end_that_only_lost_hosts_have_is_told_with_them() {
        let lost = |count: usize| End::Lost(vec![(host(), "calm-otter-1".to_owned()); count]);
        let told = |count, reported| shown(Distance::PreferLocal, HERE, lost(count), reported).unwrap();
        let one = format!("{} (calm-otter-1)", host());
        assert_eq!(
            told(1, Some(&State::Ready)),
            format!(
                "pending: hello runs only on host {one}, which is lost: bring it back, or wash start actor IMAGE hello"
            )
        );
        assert!(told(2, None).contains(&format!("only on hosts {one}, {one}, which are lost: ")));
        assert!(told(5, None).contains(&format!("{one}, {one}, {one} and 2 more, which are lost: ")));
        assert_eq!(told(1, Some(&State::Failed("in use".into()))), "failed: in use");
    }

    #[test]
    fn what_another_host_cannot_do_is_told_here_too() {
        let near = |source, target, reported| shown(Distance::PreferLocal, source, target, reported).unwrap();
        let away = |state: State| End::Away(state);
        assert_eq!(near(away(State::Failed("in use".into())), HERE, None), "failed: in use");
        assert_eq!(near(away(State::Degraded("half".into())), HERE, None), "degraded: half");
        assert_eq!(near(away(State::Starting), HERE, None), "starting");
        let waits = State::Pending("hello is failed elsewhere".into());
        assert_eq!(near(HERE, away(waits), Some(&State::Ready)), "pending: hello is failed elsewhere");
        // The provider here has its own say, whatever befalls one elsewhere.
        assert_eq!(near(HERE, HERE, Some(&State::Degraded("half".into()))), "degraded: half");
    }

    #[test]
    fn a_link_that_keeps_calls_here_needs_both_ends_here() {
        let text = shown(Distance::Local, HERE, AWAY, Some(&State::Ready)).unwrap();
        let host = host();
        assert_eq!(
            text,
            format!(
                "pending: hello does not run on host {host} (amber-bay-0042), and the link keeps calls there (distance \
                 local): wash start actor IMAGE hello --host-id {host}"
            )
        );
        assert_eq!(shown(Distance::Local, HERE, HERE, Some(&State::Ready)).as_deref(), Some("ready"));
        assert_eq!(shown(Distance::Lattice, HERE, AWAY, Some(&State::Ready)).as_deref(), Some("ready"));
    }
}
