//! Who may command what on this host: the admins that its flags name, and whoever they, or admins that they named, gave a role.

mod orders;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use lattice_claims::{CommandRequest, SignedCommand, verify_order};
use lattice_control_interface::{DeleteTrustCommand, PutRoleCommand, RoleEntry};
use lattice_core::{
    AccountKey, CtlSubject, CtlVerb, Grant, HostId, LatticeName, Order, Role, RoleFact, UserKey,
};

use self::orders::Given;
pub(crate) use self::orders::{Orders, PutBack};
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
    /// Of roles and of trust.
    orders: Orders,
    /// The last words of the lattice, and what counts of them: signatures are checked once for each change.
    last: Arc<Mutex<(Arc<Words>, Arc<Granted>)>>,
}

impl Roles {
    pub(crate) fn new(
        admins: BTreeSet<UserKey>,
        name: LatticeName,
        lattice: Lattice,
        orders: Orders,
    ) -> Self {
        let granted = Arc::new(granted(&admins, Vec::new()));
        let last = Arc::new(Mutex::new((Arc::default(), granted)));
        Self { admins: Arc::new(admins), name, lattice, orders, last }
    }

    /// What counts now.
    pub(crate) fn now(&self) -> Arc<Granted> {
        let words = self.lattice.view().roles.clone();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&last.0, &words) {
            *last = (words.clone(), Arc::new(self.look(&words)));
        }
        last.1.clone()
    }

    /// What counts of the lattice's words; remembers their orders.
    fn look(&self, words: &Words) -> Granted {
        let ordered: Vec<Ordered<'_>> = words
            .iter()
            .filter_map(|(key, written)| ordered(key, written, &self.name))
            .filter(|ordered| self.orders.may_count(&about_role(ordered.key), ordered.given, ordered.writer))
            .collect();
        let granted = granted(&self.admins, ordered.clone());
        for ordered in ordered {
            if granted.get(ordered.key) == Some(ordered.grant) {
                self.orders.note(&about_role(ordered.key), ordered.given);
            }
        }
        granted
    }

    /// From now on no order counts that was given before `order` was, which takes something away; returns when the disk has that.
    pub(crate) async fn end(&self, about: &About<'_>, order: Option<&Order>) {
        if let Some(signed) = order.and_then(|order| signed(order, about.taking(), &self.name)) {
            self.orders.note(&about.to_string(), Given { issued_ms: signed.issued_ms, version: 0 });
        }
        self.orders.kept().await;
    }

    /// The same of an account that stands revoked in the `version` of its fact, as far as an admin ordered that.
    pub(crate) fn note_revoked(
        &self,
        granted: &Granted,
        key: &AccountKey,
        (order, version): (Option<&Order>, u64),
    ) {
        let about = About::Trust(key);
        let Some(order) = order.filter(|order| is_about(key, order)) else { return };
        if let Some(signed) =
            signed(order, about.taking(), &self.name).filter(|signed| is_by_admin(granted, signed))
        {
            self.orders.note(&about.to_string(), Given { issued_ms: signed.issued_ms, version });
        }
    }

    /// Whether `new` was given later than `old`, so that writing it makes it count also where something was ordered in between.
    pub(crate) fn is_later(&self, about: &About<'_>, new: Option<&Order>, old: Option<&Order>) -> bool {
        let issued = |order: Option<&Order>| {
            order.and_then(|order| signed(order, about.verb(), &self.name)).map(|signed| signed.issued_ms)
        };
        issued(new) > issued(old)
    }

    /// Why an order that is to be written now would not count: the clock of who gave the one before is ahead.
    pub(crate) fn objection(&self, about: &About<'_>, order: Option<&Order>) -> Option<String> {
        let signed = order.and_then(|order| signed(order, about.verb(), &self.name))?;
        let later = self.orders.later_by(&about.to_string(), signed.issued_ms)?;
        Some(format!(
            "the last order about this key was signed {:.1} s later than this one, so this one would not count: one of the two clocks is \
             wrong; set it, and sign again",
            later.as_secs_f64()
        ))
    }

    /// The admins that this host's flags name.
    pub(crate) fn admins(&self) -> &BTreeSet<UserKey> {
        &self.admins
    }

    /// Whether there is anybody whose orders count here.
    pub(crate) fn knows_admins(&self) -> bool {
        !self.admins.is_empty()
    }

    /// Whether trust in `key` was ordered, in the `version` of its fact, by somebody who is an admin by what counts, and not taken
    /// back since.
    pub(crate) fn is_trusted_by_order(
        &self,
        granted: &Granted,
        key: &AccountKey,
        (order, version, writer): (Option<&Order>, u64, &str),
    ) -> bool {
        let about = About::Trust(key);
        let signed = order.and_then(|order| signed(order, about.verb(), &self.name));
        let Some(signed) = signed.filter(|signed| is_by_admin(granted, signed)) else { return false };
        let (about, given) = (about.to_string(), Given { issued_ms: signed.issued_ms, version });
        let counts = self.orders.may_count(&about, given, writer);
        if counts {
            self.orders.note(&about, given);
        }
        counts
    }
}

/// What an order is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum About<'a> {
    Role(&'a UserKey),
    Trust(&'a AccountKey),
}

impl About<'_> {
    fn verb(&self) -> CtlVerb {
        match self {
            About::Role(_) => CtlVerb::RolePut,
            About::Trust(_) => CtlVerb::TrustPut,
        }
    }

    /// What takes it away.
    fn taking(&self) -> CtlVerb {
        match self {
            About::Role(_) => CtlVerb::RoleDel,
            About::Trust(_) => CtlVerb::TrustDel,
        }
    }
}

/// By which it is remembered.
impl fmt::Display for About<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            About::Role(key) => write!(f, "role.{key}"),
            About::Trust(key) => write!(f, "trust.{key}"),
        }
    }
}

fn about_role(key: &UserKey) -> String {
    About::Role(key).to_string()
}

fn is_admin(granted: &Granted, key: &UserKey) -> bool {
    granted.get(key).is_some_and(|grant| grant.role() == Role::Admin)
}

fn is_by_admin(granted: &Granted, signed: &SignedCommand) -> bool {
    UserKey::new(signed.key.as_str()).is_ok_and(|signer| is_admin(granted, &signer))
}

/// Whether an order takes trust in that account away.
fn is_about(key: &AccountKey, order: &Order) -> bool {
    serde_json::from_str::<DeleteTrustCommand>(&order.body).is_ok_and(|command| command.key == *key)
}

/// Who gave an order and when, if it was given for `verb` in this lattice.
fn signed(order: &Order, verb: CtlVerb, lattice: &LatticeName) -> Option<SignedCommand> {
    let subject = CtlSubject { lattice: lattice.clone(), verb }.to_string();
    let request =
        CommandRequest { lattice: lattice.as_str(), subject: &subject, body: order.body.as_bytes() };
    verify_order(&order.token, &request).ok()
}

/// A role with the order for it.
#[derive(Debug, Clone)]
struct Ordered<'a> {
    key: &'a UserKey,
    grant: &'a Grant,
    signer: UserKey,
    given: Given,
    writer: &'a str,
}

/// The order of a role, if it says what the fact says.
fn ordered<'a>(
    key: &'a UserKey,
    written: &'a Written<RoleFact>,
    lattice: &LatticeName,
) -> Option<Ordered<'a>> {
    let says = &written.says;
    let order = says.order.as_ref()?;
    let command: PutRoleCommand = serde_json::from_str(&order.body).ok()?;
    if command.key != *key || command.grant != says.grant {
        return None;
    }
    let signed = signed(order, CtlVerb::RolePut, lattice)?;
    let signer = UserKey::new(signed.key.as_str()).ok()?;
    let given = Given { issued_ms: signed.issued_ms, version: written.version };
    Some(Ordered { key, grant: &says.grant, signer, given, writer: &written.writer })
}

/// What counts: the admins of the flags, and what was ordered by somebody who is an admin by what counts. Somebody who is no
/// admin any more has given nothing; two who name each other are not admins by that.
fn granted(admins: &BTreeSet<UserKey>, ordered: Vec<Ordered<'_>>) -> Granted {
    let mut granted: Granted = admins.iter().map(|key| (key.clone(), Grant::of(Role::Admin))).collect();
    if admins.is_empty() {
        return granted;
    }
    let mut open: Vec<Ordered<'_>> =
        ordered.into_iter().filter(|ordered| !admins.contains(ordered.key)).collect();
    loop {
        let (now, later): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|ordered| is_admin(&granted, &ordered.signer));
        if now.is_empty() {
            return granted;
        }
        granted.extend(now.into_iter().map(|ordered| (ordered.key.clone(), ordered.grant.clone())));
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
        (key(of), Written { says, at: String::new(), writer: String::new(), version: 1 })
    }

    fn roles(admin: &KeyPair, words: impl IntoIterator<Item = (UserKey, Written<RoleFact>)>) -> Granted {
        counted(&[key(admin)].into(), &words.into_iter().collect())
    }

    fn counted(admins: &BTreeSet<UserKey>, words: &Words) -> Granted {
        let lattice = LatticeName::default();
        granted(admins, words.iter().filter_map(|(key, written)| ordered(key, written, &lattice)).collect())
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
        assert!(counted(&BTreeSet::new(), &words).is_empty());
    }
}
