//! Who may command what on this host: the admins that its flags name, and whoever they, or admins that they named, gave a role.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use lattice_claims::{CommandRequest, verify_order};
use lattice_control_interface::{PutRoleCommand, RoleEntry};
use lattice_core::{CtlSubject, CtlVerb, Grant, HostId, LatticeName, Order, Role, RoleFact, UserKey};

use crate::lattice::{Lattice, Written};

/// What the lattice says of keys; whether it counts, their orders say.
pub(crate) type Words = BTreeMap<UserKey, Written<RoleFact>>;

impl Written<RoleFact> {
    /// As it is told.
    pub(crate) fn role_entry(&self, key: &UserKey, counts: bool) -> RoleEntry {
        RoleEntry {
            key: key.clone(),
            grant: self.says.grant.clone(),
            counts,
            by: self.says.by.clone(),
            at: self.at.clone(),
            through: HostId::new(&self.writer).ok(),
        }
    }
}

/// What counts, by key.
pub(crate) type Granted = BTreeMap<UserKey, Grant>;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Roles {
    /// Named by flags. Where there are none, no role of the lattice counts.
    admins: Arc<BTreeSet<UserKey>>,
    name: LatticeName,
    lattice: Lattice,
    /// The last words of the lattice, and what counts of them: signatures are checked once for each change.
    last: Arc<Mutex<(Arc<Words>, Arc<Granted>)>>,
}

impl Roles {
    pub(crate) fn new(admins: BTreeSet<UserKey>, name: LatticeName, lattice: Lattice) -> Self {
        let granted = Arc::new(granted(&admins, &Words::new(), &name));
        let last = Arc::new(Mutex::new((Arc::default(), granted)));
        Self { admins: Arc::new(admins), name, lattice, last }
    }

    /// What counts now.
    pub(crate) fn now(&self) -> Arc<Granted> {
        let words = self.lattice.view().roles.clone();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&last.0, &words) {
            let granted = Arc::new(granted(&self.admins, &words, &self.name));
            *last = (words, granted);
        }
        last.1.clone()
    }

    /// The admins that this host's flags name.
    pub(crate) fn admins(&self) -> &BTreeSet<UserKey> {
        &self.admins
    }

    /// Whether there is anybody whose orders count here.
    pub(crate) fn knows_admins(&self) -> bool {
        !self.admins.is_empty()
    }

    /// Whether `order` was given for `verb`, by somebody who is an admin by what counts.
    pub(crate) fn is_ordered(&self, granted: &Granted, order: Option<&Order>, verb: CtlVerb) -> bool {
        let signer = order.and_then(|order| signer(order, verb, &self.name));
        signer.is_some_and(|signer| is_admin(granted, &signer))
    }
}

fn is_admin(granted: &Granted, key: &UserKey) -> bool {
    granted.get(key).is_some_and(|grant| grant.role() == Role::Admin)
}

/// Who gave an order, if it was given for `verb` in this lattice.
fn signer(order: &Order, verb: CtlVerb, lattice: &LatticeName) -> Option<UserKey> {
    let subject = CtlSubject { lattice: lattice.clone(), verb }.to_string();
    let request =
        CommandRequest { lattice: lattice.as_str(), subject: &subject, body: order.body.as_bytes() };
    let signed = verify_order(&order.token, &request).ok()?;
    UserKey::new(signed.key.as_str()).ok()
}

/// The order of a role, if it says what the fact says: who gave it.
fn ordered_by(key: &UserKey, says: &RoleFact, lattice: &LatticeName) -> Option<UserKey> {
    let order = says.order.as_ref()?;
    let command: PutRoleCommand = serde_json::from_str(&order.body).ok()?;
    if command.key != *key || command.grant != says.grant {
        return None;
    }
    signer(order, CtlVerb::RolePut, lattice)
}

/// What counts: the admins of the flags, and what was ordered by somebody who is an admin by what counts. Somebody who is no
/// admin any more has given nothing; two who name each other are not admins by that.
fn granted(admins: &BTreeSet<UserKey>, words: &Words, lattice: &LatticeName) -> Granted {
    let mut granted: Granted = admins.iter().map(|key| (key.clone(), Grant::of(Role::Admin))).collect();
    if admins.is_empty() {
        return granted;
    }
    let mut open: Vec<(&UserKey, &Grant, UserKey)> = words
        .iter()
        .filter(|(key, _)| !admins.contains(*key))
        .filter_map(|(key, written)| {
            Some((key, &written.says.grant, ordered_by(key, &written.says, lattice)?))
        })
        .collect();
    loop {
        let (now, later): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|(_, _, signer)| is_admin(&granted, signer));
        if now.is_empty() {
            return granted;
        }
        granted.extend(now.into_iter().map(|(key, grant, _)| (key.clone(), grant.clone())));
        open = later;
    }
}

#[cfg(test)]
mod tests {
    use lattice_claims::{KeyKind, KeyPair, sign_command};

    use super::*;

    fn key(pair: &KeyPair) -> UserKey {
        UserKey::new(pair.public_key().as_str()).unwrap()
    }

    fn user() -> KeyPair {
        KeyPair::generate(KeyKind::User)
    }

    /// What `by` ordered of `of`, on the subject of `verb`.
    fn written(of: &KeyPair, role: Role, by: &KeyPair, verb: CtlVerb) -> (UserKey, Written<RoleFact>) {
        let command = PutRoleCommand { key: key(of), grant: Grant::of(role) };
        let body = serde_json::to_string(&command).unwrap();
        let subject = CtlSubject { lattice: LatticeName::default(), verb }.to_string();
        let request = CommandRequest { lattice: "default", subject: &subject, body: body.as_bytes() };
        let order = Order { token: sign_command(&request, by, 1_800_000_000_000).unwrap(), body };
        let says = RoleFact { grant: command.grant, by: Some(key(by)), order: Some(order) };
        (key(of), Written { says, at: String::new(), writer: String::new() })
    }

    fn roles(admin: &KeyPair, words: impl IntoIterator<Item = (UserKey, Written<RoleFact>)>) -> Granted {
        granted(&[key(admin)].into(), &words.into_iter().collect(), &LatticeName::default())
    }

    #[test]
    fn a_role_counts_by_the_order_of_an_admin() {
        let [root, ann, bob, eve] = [user(), user(), user(), user()];
        let put = || CtlVerb::RolePut;
        let chain = [
            written(&ann, Role::Admin, &root, put()),
            written(&bob, Role::Operator, &ann, put()),
            written(&eve, Role::Admin, &eve, put()),
        ];
        let counts = roles(&root, chain.clone());
        assert_eq!(counts.get(&key(&root)).map(Grant::role), Some(Role::Admin));
        assert_eq!(counts.get(&key(&ann)).map(Grant::role), Some(Role::Admin));
        assert_eq!(counts.get(&key(&bob)).map(Grant::role), Some(Role::Operator));
        assert_eq!(counts.get(&key(&eve)), None, "nobody names oneself");
        // Without the one who named them, they are not.
        let counts = roles(&root, chain.into_iter().skip(1));
        assert_eq!((counts.len(), counts.contains_key(&key(&root))), (1, true));
        // An operator names nobody, and two do not name each other.
        let counts = roles(
            &root,
            [written(&ann, Role::Operator, &root, put()), written(&bob, Role::Admin, &ann, put())],
        );
        assert!(!counts.contains_key(&key(&bob)));
        let counts =
            roles(&root, [written(&ann, Role::Admin, &bob, put()), written(&bob, Role::Admin, &ann, put())]);
        assert_eq!(counts.len(), 1);
    }

    #[test]
    fn a_role_without_its_order_or_with_another_counts_nothing() {
        let [root, eve] = [user(), user()];
        let (_, good) = written(&eve, Role::Viewer, &root, CtlVerb::RolePut);
        let counts =
            |written: Written<RoleFact>| roles(&root, [(key(&eve), written)]).contains_key(&key(&eve));
        assert!(counts(good.clone()));
        let mut raised = good.clone();
        raised.says.grant = Grant::of(Role::Admin);
        let mut body = raised.clone();
        let order = body.says.order.as_mut().unwrap();
        order.body = order.body.replace("viewer", "admin");
        let mut bare = good.clone();
        bare.says.order = None;
        let mut broken = good.clone();
        broken.says.order.as_mut().unwrap().token.push('A');
        let (_, elsewhere) = written(&eve, Role::Viewer, &root, CtlVerb::RoleDel);
        for other in [raised, body, bare, broken, elsewhere] {
            assert!(!counts(other.clone()), "{other:?}");
        }
        // The same order under another key.
        let ann = user();
        assert!(!roles(&root, [(key(&ann), good)]).contains_key(&key(&ann)));
        // And where no flag names an admin, nothing counts at all.
        let words = [written(&eve, Role::Viewer, &root, CtlVerb::RolePut)].into_iter().collect();
        assert!(granted(&BTreeSet::new(), &words, &LatticeName::default()).is_empty());
    }
}
