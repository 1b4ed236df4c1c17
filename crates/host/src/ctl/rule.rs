//! The rule by which a request that changes something is judged, once its signature was looked at. Pure.

use lattice_core::{CtlVerb, Effect, Grant, Target, UserKey};

/// What a host asks of those who command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    /// What is not signed by a key that has a role is refused.
    pub(super) requires_signature: bool,
    /// The host's flags name admins; without one no role counts.
    pub(super) knows_admins: bool,
}

/// A refusal: its kind, and what is said.
pub(super) type Why = (&'static str, String);

/// Judges a request of whoever signed it with `key`, of which `grant` counts here.
///
/// Where signatures are not required, who does not sign may do what v1 tools may. Trust and roles are no part of that as soon as
/// there is an admin: else a host that asks for nothing would give away those that do.
pub(super) fn judge(
    policy: Policy,
    key: Option<&UserKey>,
    grant: Option<&Grant>,
    wanted: &Target<'_>,
) -> Result<(), Why> {
    let is_role = matches!(wanted.verb, CtlVerb::RolePut | CtlVerb::RoleDel);
    if is_role && !policy.knows_admins {
        let why =
            "this host knows no admin, and roles are an admin's to give; start every host with --admin KEY";
        return Err(("no-admin", why.to_owned()));
    }
    let is_admins = wanted.verb.effect() == Effect::ChangesWhoMay && policy.knows_admins;
    match (key, grant) {
        (None, _) if policy.requires_signature => Err((
            "signature-required",
            "this host takes signed commands alone; sign it with a key that has a role: wash signs with --signing-key KEY, or \
             with your only user key (wash keys gen user --name NAME), to which an admin gives a role (wash role add KEY \
             operator)"
                .to_owned(),
        )),
        (None, _) if is_admins => Err((
            "signature-required",
            "only an admin says whom to trust and who may do what; sign it with an admin's key: --signing-key KEY".to_owned(),
        )),
        (Some(key), None) if policy.requires_signature || is_admins => Err((
            "no-role",
            format!("key {key} has no role here; an admin can give it one: wash role add {key} operator"),
        )),
        (Some(key), Some(grant)) => grant.allows(wanted).map_err(|denied| {
            let role = grant.role();
            (denied.code(), format!("key {key} is {role} here: {denied}; an admin can give it more: wash role add {key} ROLE"))
        }),
        (_, None) | (None, Some(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use lattice_core::{Labels, Role};

    use super::*;

    #[test]
    fn what_is_asked_of_those_who_command() {
        let key = UserKey::new(format!("U{}", "B".repeat(55))).unwrap();
        let (open, admin_known, strict) = (
            Policy { requires_signature: false, knows_admins: false },
            Policy { requires_signature: false, knows_admins: true },
            Policy { requires_signature: true, knows_admins: true },
        );
        let names = ["hello".to_owned()];
        let judged = |policy: Policy, signs: bool, role: Option<Role>, verb: CtlVerb| {
            let grant = role.map(Grant::of);
            let labels = Labels::default();
            let wanted = Target { verb: &verb, labels: &labels, names: Some(&names) };
            judge(policy, signs.then_some(&key), grant.as_ref(), &wanted).err().map(|(code, _)| code)
        };
        let (link, trust, role) = (CtlVerb::LinkPut, CtlVerb::TrustPut, CtlVerb::RolePut);
        for (policy, signs, has, verb, code) in [
            // As in v1.
            (open, false, None, &link, None),
            (open, false, None, &trust, None),
            (open, false, None, &role, Some("no-admin")),
            (open, true, None, &link, None),
            (open, true, None, &role, Some("no-admin")),
            // An admin is known: trust and roles are theirs, the rest as in v1 unless a role says otherwise.
            (admin_known, false, None, &link, None),
            (admin_known, false, None, &trust, Some("signature-required")),
            (admin_known, true, None, &link, None),
            (admin_known, true, None, &trust, Some("no-role")),
            (admin_known, true, Some(Role::Viewer), &link, Some("role-too-low")),
            (admin_known, true, Some(Role::Operator), &link, None),
            (admin_known, true, Some(Role::Operator), &role, Some("role-too-low")),
            (admin_known, true, Some(Role::Admin), &role, None),
            // Signed commands alone.
            (strict, false, None, &link, Some("signature-required")),
            (strict, false, None, &role, Some("signature-required")),
            (strict, true, None, &link, Some("no-role")),
            (strict, true, Some(Role::Viewer), &link, Some("role-too-low")),
            (strict, true, Some(Role::Operator), &link, None),
            (strict, true, Some(Role::Operator), &trust, Some("role-too-low")),
            (strict, true, Some(Role::Admin), &trust, None),
        ] {
            assert_eq!(judged(policy, signs, has, verb.clone()), code, "{policy:?} {signs} {has:?} {verb:?}");
        }
    }
}
