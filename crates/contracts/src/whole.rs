//! The state of a provider, made of the states of its links.

use lattice_core::State;

/// What a provider reports of itself: failed where all its links failed, degraded where some failed or are degraded,
/// else ready, without links too.
pub fn state_of_all<'a>(links: impl Iterator<Item = &'a State>) -> State {
    let (mut all, mut failed, mut first) = (0_usize, 0_usize, None);
    for link in links {
        all += 1;
        if let State::Failed(reason) | State::Degraded(reason) = link {
            failed += usize::from(matches!(link, State::Failed(_)));
            first = first.or(Some(reason));
        }
    }
    let Some(reason) = first else { return State::Ready };
    match (failed, all) {
        (1, 1) => State::Failed(reason.clone()),
        (0, _) => State::Degraded(reason.clone()),
        (failed, all) if failed == all => State::Failed(format!("all {all} links failed: {reason}")),
        (failed, all) => State::Degraded(format!("{failed} of {all} links failed: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_is_as_its_links_are() {
        let (ready, down) = (State::Ready, State::Failed("in use".into()));
        let limping = State::Degraded("no files left".into());
        for (links, want) in [
            (vec![], "ready"),
            (vec![&ready], "ready"),
            (vec![&down], "failed: in use"),
            (vec![&down, &down], "failed: all 2 links failed: in use"),
            (vec![&ready, &down], "degraded: 1 of 2 links failed: in use"),
            (vec![&ready, &limping], "degraded: no files left"),
        ] {
            assert_eq!(state_of_all(links.into_iter()).to_string(), want);
        }
    }
}
