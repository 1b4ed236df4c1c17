//! `role.put`, `role.del`, `role.get`: who may command what. The guard has made sure that an admin asks.

use std::str::FromStr as _;

use lattice_claims::{KeyKind, PublicKey};
use lattice_control_interface::{DeleteRoleCommand, PutRoleCommand, RoleChange, RoleEntry};
use lattice_core::{Role, RoleFact, UserKey};

use super::{
    Ctl,
    guard::Admitted,
    reply::{Answer, Outcome, read},
};
use crate::roles::About;

/// Labels and patterns of one role; they are read with every command of its key.
const LIMITS_MAX: usize = 32;
/// The longest pattern, in bytes: names are no longer.
const PATTERN_BYTES_MAX: usize = 128;

impl Ctl {
    pub(super) async fn role_put(&self, body: &[u8], asked: &Admitted) -> Outcome<RoleChange> {
        let command: PutRoleCommand = read("role put", body)?;
        self.may_be_given(&command)?;
        let before = self.role_now(&command.key).await;
        if let Some(why) = self.roles.objection(&About::Role(&command.key), asked.order.as_ref()) {
            return Err(why);
        }
        let says = RoleFact { grant: command.grant, by: asked.key.clone(), order: asked.order.clone() };
        let is_same = before.as_ref().is_some_and(|entry| entry.counts && entry.grant == says.grant);
        // An order is not lost because it says what stands there: a host that heard of others in between may count this one alone.
        let old = self.lattice.view().roles.get(&command.key).and_then(|written| written.says.order.clone());
        let is_news = self.roles.is_later(&About::Role(&command.key), says.order.as_ref(), old.as_ref());
        if is_news || !is_same {
            self.lattice.put_role(&command.key, &says).await.map_err(|error| error.to_string())?;
        }
        let now = self.role_entry(&command.key);
        Ok(Answer::Data(RoleChange { before, now, lost: Vec::new() }))
    }

    fn may_be_given(&self, command: &PutRoleCommand) -> Result<(), String> {
        let PutRoleCommand { key, grant } = command;
        PublicKey::of_kind(key.as_str(), KeyKind::User).map_err(|error| format!("{key}: {error}"))?;
        let role = Role::from_str(&grant.role).map_err(|error| error.to_string())?;
        self.is_no_flag(key)?;
        if role == Role::Admin && !(grant.hosts.is_empty() && grant.names.is_empty()) {
            return Err(
                "an admin is one of the whole lattice; leave --hosts and --names out, or make it an operator"
                    .to_owned(),
            );
        }
        if grant.hosts.len() + grant.names.len() > LIMITS_MAX {
            return Err(format!(
                "a role has at most {LIMITS_MAX} labels and patterns; use patterns that fit more names"
            ));
        }
        match grant.names.iter().find(|name| name.is_empty() || name.len() > PATTERN_BYTES_MAX) {
            Some(_) => {
                Err(format!("a pattern of names has 1 to {PATTERN_BYTES_MAX} characters; `*` stands for any"))
            }
            None => Ok(()),
        }
    }

    fn is_no_flag(&self, key: &UserKey) -> Result<(), String> {
        match self.roles.admins().contains(key) {
            true => Err(format!(
                "{key} is an admin by --admin of this host, which no command changes; start hosts without it"
            )),
            false => Ok(()),
        }
    }

    pub(super) async fn role_del(&self, body: &[u8], asked: &Admitted) -> Outcome<RoleChange> {
        let command: DeleteRoleCommand = read("role delete", body)?;
        let key = &command.key;
        self.is_no_flag(key)?;
        let before = self.role_now(key).await;
        let counted = self.what_counts();
        self.lattice.delete_role(key).await.map_err(|error| error.to_string())?;
        self.roles.end(&About::Role(key), asked.order.as_ref()).await;
        let counts = self.what_counts();
        let lost = counted.into_iter().filter(|one| one != key.as_str() && !counts.contains(one)).collect();
        Ok(Answer::Data(RoleChange { before, now: None, lost }))
    }

    pub(super) async fn role_get(&self) -> Outcome<Vec<RoleEntry>> {
        self.lattice.wait_current().await;
        let keys: Vec<UserKey> = self.lattice.view().roles.keys().cloned().collect();
        Ok(Answer::Data(keys.iter().filter_map(|key| self.role_entry(key)).collect()))
    }

    /// Keys with a role or trust that counts.
    fn what_counts(&self) -> Vec<String> {
        let roles: Vec<String> = self.roles.now().keys().map(ToString::to_string).collect();
        roles.into_iter().chain(self.trust.counted()).collect()
    }

    async fn role_now(&self, key: &UserKey) -> Option<RoleEntry> {
        self.lattice.wait_current().await;
        self.role_entry(key)
    }

    fn role_entry(&self, key: &UserKey) -> Option<RoleEntry> {
        let (view, counts) = (self.lattice.view(), self.roles.now());
        let written = view.roles.get(key)?;
        Some(written.role_entry(key, counts.get(key) == Some(&written.says.grant)))
    }
}
