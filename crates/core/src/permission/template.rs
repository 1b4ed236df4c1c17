//! What a scoped signing key gives to everybody that it signs.

use super::{Lane, Permissions, Role, TABLE};
use crate::{LatticeName, RESERVED_IDS};

/// Stands for the user's name: the server fills it in, in subjects but not in the names of queue groups.
const NAME: &str = "{{name()}}";

/// What stands in the place of a name in the inboxes of people; whoever were called so would read the answers of all of them.
const PEOPLE: &str = "=user";

/// What stands in an account's token for a key that signs users of one role on one lattice, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// What they may do, with the name in the user's token in the place of `{{name()}}`.
    pub allow: Permissions,
    /// What they may not do all the same: whoever has the key chooses the name, and some names are no provider's or tool's.
    pub deny: Permissions,
}

impl Template {
    /// What users of `role` on `lattice` may do.
    #[must_use]
    pub fn of(role: Role, lattice: &LatticeName) -> Self {
        let lattice = lattice.as_str();
        Self { allow: Permissions::filled(role, lattice, NAME), deny: denied(role, lattice) }
    }

    /// The lattice that it is for, as its first subject says; none if that names none.
    #[must_use]
    pub fn lattice(&self) -> Option<LatticeName> {
        let Permissions { publish, subscribe } = &self.allow;
        let subject = publish.iter().chain(subscribe).next()?;
        LatticeName::new(subject.split('.').nth(2)?).ok()
    }
}

/// The names that no key signs for a provider or tool with any right: those of sources that need no link, and people's. The keys
/// of hosts are none either, but no pattern of a server says `N…`.
pub(super) fn names_without_rights() -> impl Iterator<Item = &'static str> {
    RESERVED_IDS.into_iter().chain([PEOPLE])
}

/// Whatever such a name would open.
fn denied(role: Role, lattice: &str) -> Permissions {
    let of = |lane: Lane| {
        let rows = TABLE.iter().filter(|row| row.role == role && row.lane == lane && row.names_itself());
        rows.flat_map(|row| names_without_rights().map(move |name| row.filled(lattice, name))).collect()
    };
    Permissions { publish: of(Lane::Publish), subscribe: of(Lane::Subscribe) }
}
