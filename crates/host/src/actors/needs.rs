//! What an actor needs from others, and its state in the light of the links there are. Pure.

use std::collections::BTreeMap;

use lattice_core::{ActorId, Contract, LinkKey, State};

use super::dispatch::target_word;

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

/// The state to show for an actor that runs: pending while a contract it imports has no link that is ready. It answers
/// all the same; calls that need the link get the contract's own error.
pub(crate) fn state_with_links(
    id: &ActorId,
    state: State,
    needs: &Needs,
    links: &BTreeMap<LinkKey, State>,
) -> State {
    if state != State::Ready {
        return state;
    }
    let mut missing = Vec::new();
    for contract in &needs.0 {
        let mut own = links
            .iter()
            .filter(|(key, _)| key.source.as_str() == id.as_str() && key.contract == *contract)
            .peekable();
        if own.peek().is_none() {
            let other = target_word(contract.namespace(), contract.package());
            missing.push(format!("no link for {contract}; make one: wash link put {id} {other} {contract}"));
        } else if let Some((key, state)) = own.find(|(_, state)| !state.serves()) {
            missing.push(format!("the link to {} for {contract} is {state}", key.target));
        }
    }
    if missing.is_empty() { State::Ready } else { State::Pending(missing.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_names_the_link_and_the_command_that_makes_it() {
        let id = "counter".parse().unwrap();
        let needs = Needs::from_iter([Contract::keyvalue(), Contract::keyvalue()]);
        let mut links = BTreeMap::new();
        let shown = |links: &_| state_with_links(&id, State::Ready, &needs, links).to_string();
        assert_eq!(
            shown(&links),
            "pending: no link for wasi:keyvalue; make one: wash link put counter PROVIDER wasi:keyvalue"
        );
        let key = LinkKey {
            source: "counter".parse().unwrap(),
            target: "store".parse().unwrap(),
            contract: Contract::keyvalue(),
            name: "default".parse().unwrap(),
        };
        links.insert(key.clone(), State::Failed("no such bucket".into()));
        assert_eq!(shown(&links), "pending: the link to store for wasi:keyvalue is failed: no such bucket");
        links.insert(key, State::Ready);
        assert_eq!(shown(&links), "ready");
        let failed = State::Failed("no".into());
        assert_eq!(state_with_links(&id, failed.clone(), &needs, &links), failed);
    }
}
