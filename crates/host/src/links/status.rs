//! How a link fares, as seen from this host: its ends, its configuration, and what its provider reports.

use lattice_core::{HostId, Link, State};

/// Who asks: the host that the state is seen from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// Its id.
    pub(crate) host: &'a HostId,
    /// Its name for people.
    pub(crate) name: &'a str,
}

/// What this host knows of a link's ends.
#[derive(Debug, Clone)]
pub(crate) struct Ends<'a> {
    /// True if the source runs here.
    pub(crate) source_here: bool,
    /// True if the target runs here.
    pub(crate) target_here: bool,
    /// True if the end that runs here, or one of them, is a provider.
    pub(crate) provider_here: bool,
    /// What the provider end says of the link, where it runs here and has spoken.
    pub(crate) reported: Option<&'a State>,
}

/// The link's state on this host; `None` where neither end runs here, so that it is none of its business.
pub(crate) fn status(link: &Link, ends: &Ends<'_>, seen: Seen<'_>) -> Option<State> {
    match (ends.source_here, ends.target_here) {
        (false, false) => None,
        // Between two actors there is nobody who would have to make anything.
        (true, true) if !ends.provider_here => Some(State::Ready),
        (true, true) => Some(ends.reported.cloned().unwrap_or(State::Starting)),
        (source_here, _) => {
            // What the provider cannot do matters more than who is missing: it would fail all the same.
            if let Some(State::Failed(reason)) = ends.reported {
                return Some(State::Failed(reason.clone()));
            }
            let missing = if source_here { &link.target } else { &link.source };
            // A provider calls actors and is called by actors, so the other end of the one is the other; a contract that the
            // lattice does not know is between actors.
            let known = link.contract().is_ok_and(|contract| lattice_core::known(&contract).is_some());
            let kind = if ends.provider_here || !known { "actor" } else { "provider" };
            let Seen { host, name } = seen;
            Some(State::Pending(format!(
                "{missing} does not run on host {host} ({name}); calls to other hosts are not served yet: \
                 start it here: wash start {kind} IMAGE {missing} --host-id {host}"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_by_what_is_here_and_what_is_said() {
        let link: Link = serde_json::from_str(
            r#"{"source_id":"http","target":"hello","wit_namespace":"wasi","wit_package":"http"}"#,
        )
        .unwrap();
        let failed = State::Failed("address in use".into());
        let host = HostId::new(
            lattice_claims::KeyPair::generate(lattice_claims::KeyKind::Host).public_key().as_str(),
        )
        .unwrap();
        let seen = Seen { host: &host, name: "amber-bay-0042" };
        let of = |source_here, target_here, reported: Option<&State>| {
            let ends = Ends { source_here, target_here, provider_here: source_here, reported };
            status(&link, &ends, seen).map(|s| s.to_string())
        };
        assert_eq!(of(false, false, None), None);
        assert_eq!(of(true, true, None).as_deref(), Some("starting"));
        assert_eq!(of(true, true, Some(&State::Ready)).as_deref(), Some("ready"));
        assert_eq!(of(true, true, Some(&failed)).as_deref(), Some("failed: address in use"));
        assert_eq!(of(true, false, Some(&failed)).as_deref(), Some("failed: address in use"));
        let pending = |missing: &str, kind: &str| {
            format!(
                "pending: {missing} does not run on host {host} (amber-bay-0042); calls to other hosts are not \
                 served yet: start it here: wash start {kind} IMAGE {missing} --host-id {host}"
            )
        };
        assert_eq!(of(true, false, Some(&State::Ready)).unwrap(), pending("hello", "actor"));
        assert_eq!(of(false, true, None).unwrap(), pending("http", "provider"));
    }
}
