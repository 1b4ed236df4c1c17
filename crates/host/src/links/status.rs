//! How a link fares, as seen from this host: its ends, its configuration, and what its provider reports.

use lattice_core::{Link, State};

/// What this host knows of a link's ends.
#[derive(Debug, Clone)]
pub(crate) struct Ends<'a> {
    /// True if the source runs here.
    pub(crate) source_here: bool,
    /// True if the target runs here.
    pub(crate) target_here: bool,
    /// What the provider end says of the link, where it runs here and has spoken.
    pub(crate) reported: Option<&'a State>,
}

/// The link's state on this host; `None` where neither end runs here, so that it is none of its business.
pub(crate) fn status(link: &Link, ends: &Ends<'_>) -> Option<State> {
    match (ends.source_here, ends.target_here) {
        (false, false) => None,
        (true, true) => Some(ends.reported.cloned().unwrap_or(State::Starting)),
        (source_here, _) => {
            // What the provider cannot do matters more than who is missing: it would fail all the same.
            if let Some(State::Failed(reason)) = ends.reported {
                return Some(State::Failed(reason.clone()));
            }
            let missing = if source_here { &link.target } else { &link.source };
            Some(State::Pending(format!("{missing} does not run on this host; `wash start` starts it")))
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
        let of = |source_here, target_here, reported: Option<&State>| {
            status(&link, &Ends { source_here, target_here, reported }).map(|s| s.to_string())
        };
        assert_eq!(of(false, false, None), None);
        assert_eq!(of(true, true, None).as_deref(), Some("starting"));
        assert_eq!(of(true, true, Some(&State::Ready)).as_deref(), Some("ready"));
        assert_eq!(of(true, true, Some(&failed)).as_deref(), Some("failed: address in use"));
        assert_eq!(of(true, false, Some(&failed)).as_deref(), Some("failed: address in use"));
        assert!(of(true, false, Some(&State::Ready)).unwrap().starts_with("pending: hello does not run"));
        assert!(of(false, true, None).unwrap().starts_with("pending: http does not run"));
    }
}
