//! How all links of a host fare: a pure look at what runs here, what its providers say, and what other hosts tell.

use std::collections::{BTreeMap, BTreeSet};

use lattice_core::{EntityId, Link, LinkKey, State};

use super::{End, Ends, Seen, status};

/// What runs on a host at one moment.
pub(crate) struct Survey<'a> {
    /// Who looks.
    pub(crate) seen: Seen<'a>,
    /// The actors that run here, by id.
    pub(crate) actors: BTreeSet<&'a str>,
    /// The providers here, by id, and what they say of their links.
    pub(crate) providers: BTreeMap<&'a str, &'a BTreeMap<LinkKey, State>>,
}

impl Survey<'_> {
    /// The states of those of `links` that have an end here; `away` says where an end is that has not.
    pub(crate) fn of<'l>(
        &self,
        links: impl IntoIterator<Item = (&'l LinkKey, &'l Link)>,
        away: impl Fn(&EntityId, &LinkKey) -> End,
    ) -> BTreeMap<LinkKey, State> {
        let look = |(key, link): (&'l LinkKey, &'l Link)| {
            let is_here =
                |id: &EntityId| self.actors.contains(id.as_str()) || self.providers.contains_key(id.as_str());
            // Most links of a large lattice are other hosts' business.
            if !is_here(&link.source) && !is_here(&link.target) {
                return None;
            }
            let end = |id: &EntityId| if is_here(id) { End::Here } else { away(id, key) };
            let told = [&link.source, &link.target].map(|id| self.providers.get(id.as_str()));
            let ends = Ends {
                source: end(&link.source),
                target: end(&link.target),
                provider_here: told.iter().any(Option::is_some),
                reported: told.iter().flatten().find_map(|links| links.get(key)),
            };
            Some((key.clone(), status(link, &ends, self.seen)?))
        };
        links.into_iter().filter_map(look).collect()
    }
}
