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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// In this host.
    pub(crate) here: bool,
    /// In another one that is alive.
    pub(crate) elsewhere: bool,
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
/// A link is ready when each end runs somewhere: each host's own instance of a provider serves the link there.
pub(crate) fn status(link: &Link, ends: &Ends<'_>, seen: Seen<'_>) -> Option<State> {
    let Ends { source, target, reported, .. } = *ends;
    if !source.here && !target.here {
        return None;
    }
    // What the provider cannot do matters more than who is missing: it would fail all the same.
    if let Some(State::Failed(reason)) = reported {
        return Some(State::Failed(reason.clone()));
    }
    let missing = [(source, &link.source), (target, &link.target)].into_iter().find(|(end, _)| !end.here);
    // A provider calls actors and is called by actors, so the other end of the one is the other; a contract that the lattice
    // does not know is between actors.
    let known = link.contract().is_ok_and(|contract| lattice_core::known(&contract).is_some());
    let kind = if ends.provider_here || !known { "actor" } else { "provider" };
    if let Some((end, id)) = missing {
        let Seen { host, name } = seen;
        if link.distance == Distance::Local {
            return Some(State::Pending(format!(
                "{id} does not run on host {host} ({name}), and the link keeps calls there (distance local): \
                 wash start {kind} IMAGE {id} --host-id {host}"
            )));
        }
        if !end.elsewhere {
            return Some(State::Pending(format!("{id} runs nowhere: wash start {kind} IMAGE {id}")));
        }
    }
    let unheard = if ends.provider_here { State::Starting } else { State::Ready };
    Some(reported.cloned().unwrap_or(unheard))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: End = End { here: true, elsewhere: false };
    const AWAY: End = End { here: false, elsewhere: true };
    const NOWHERE: End = End { here: false, elsewhere: false };

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
        let ends = Ends { source, target, provider_here: source.here, reported };
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
