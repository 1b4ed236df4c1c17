//! What an actor needs from others, and its state in the light of the links there are. Pure.

use lattice_core::{ActorId, Contract, State};

use crate::links::Routes;

/// The contracts an actor imports that only a link can serve, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs(Vec<Contract>);

impl FromIterator<Contract> for Needs {
    fn from_iter<I: IntoIterator<Item = Contract>>(contracts: I) -> Self {
        let mut needs: Vec<Contract> = contracts.into_iter().collect();
        needs.sort();
        needs.dedup();
        Self(needs)
    }
}

/// The state to show for an actor that runs: pending while a contract it imports has no link, or the link's target does
/// not run here. It answers all the same; calls that need the link get the contract's own error.
pub(crate) fn state_with_links(id: &ActorId, state: State, needs: &Needs, routes: &Routes) -> State {
    if state != State::Ready {
        return state;
    }
    let mut missing = Vec::new();
    for contract in &needs.0 {
        let mut targets = routes.targets(id.as_str(), contract).peekable();
        if targets.peek().is_none() {
            missing.push(format!("no link for {contract}; make one: wash link put {id} PROVIDER {contract}"));
        } else if let Some(route) = targets.find(|route| route.keyvalue.is_none() && route.http.is_none()) {
            let target = &route.target;
            missing.push(format!(
                "{target}, linked for {contract}, does not run on this host or does not serve it"
            ));
        }
    }
    if missing.is_empty() { State::Ready } else { State::Pending(missing.join("; ")) }
}

#[cfg(test)]
mod tests {
    use lattice_core::Link;

    use super::*;

    #[test]
    fn the_state_names_the_link_and_the_command_that_makes_it() {
        let id = "counter".parse().unwrap();
        let needs = Needs::from_iter([Contract::keyvalue(), Contract::keyvalue()]);
        let state = state_with_links(&id, State::Ready, &needs, &Routes::default());
        assert_eq!(
            state.to_string(),
            "pending: no link for wasi:keyvalue; make one: wash link put counter PROVIDER wasi:keyvalue"
        );
        let link: Link = serde_json::from_str(
            r#"{"source_id":"counter","target":"store","wit_namespace":"wasi","wit_package":"keyvalue"}"#,
        )
        .unwrap();
        let away = Routes::build([&link], |_| (None, None));
        assert!(state_with_links(&id, State::Ready, &needs, &away).to_string().contains("store"));
        let failed = State::Failed("no".into());
        assert_eq!(state_with_links(&id, failed.clone(), &needs, &away), failed);
    }
}
