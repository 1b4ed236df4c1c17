//! What a person may command: roles, how far they reach, and the rule by which a command is judged. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CtlVerb, Effect, Labels, UserKey};

/// What a key may do at all; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Changes what runs, and how it is linked and configured.
    Operator,
    /// Says besides whom to trust, and who may do what.
    Admin,
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no role; roles are admin, operator and viewer")]
pub struct ParseRoleError {
    /// The text, cut to 64 characters.
    pub text: String,
}

impl Role {
    /// The word in facts and commands.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = ParseRoleError;
    fn from_str(text: &str) -> Result<Self, ParseRoleError> {
        let all = [Role::Viewer, Role::Operator, Role::Admin];
        let found = all.into_iter().find(|role| role.word() == text);
        found.ok_or_else(|| ParseRoleError { text: text.chars().take(64).collect() })
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// A role, and how far it reaches.
///
/// A word of a later version reads as viewer: what is not understood changes nothing. Missing limits are none; unknown fields
/// are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// `viewer`, `operator` or `admin`; see [`Grant::role`].
    #[serde(default)]
    pub role: String,
    /// Labels that a host has to have to be commanded; none reaches all hosts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<String, String>,
    /// Patterns of names (`*` stands for any characters) of actors, providers, configurations and secrets; none reaches
    /// all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// What a command wants.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The command.
    pub verb: &'a CtlVerb,
    /// The labels of the host that is asked.
    pub labels: &'a Labels,
    /// The actors, providers, configurations and secrets that the command names; none where it cannot be read.
    pub names: Option<&'a [String]>,
}

/// Why a role does not reach a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// Viewers change nothing.
    #[error("a viewer changes nothing")]
    Viewer,
    /// Trust and roles are the admins'.
    #[error("only an admin says whom to trust and who may do what")]
    NotAdmin,
    /// Another host.
    #[error("it may command hosts with {wanted} alone, and this is none")]
    OtherHost {
        /// The labels, as `site=plant`.
        wanted: String,
    },
    /// A limit by labels would be none if labels could be changed under it.
    #[error("it may command hosts with {wanted} alone, and so sets no labels")]
    Labels {
        /// The labels, as `site=plant`.
        wanted: String,
    },
    /// Links, configurations and secrets are of all hosts.
    #[error(
        "it may command hosts with {wanted} alone, and links, configurations and secrets are of the whole lattice"
    )]
    WholeLattice {
        /// The labels, as `site=plant`.
        wanted: String,
    },
    /// Another name: of what the command names, or of what uses what it changes.
    #[error("it may command what is named {patterns} alone, and this command reaches {name:?}")]
    OtherName {
        /// The patterns, joined.
        patterns: String,
        /// The first name that fits none.
        name: String,
    },
    /// A limit by names, and a command about something that has none.
    #[error("it may command what is named {patterns} alone, and this command is about a host as a whole")]
    NoName {
        /// The patterns, joined.
        patterns: String,
    },
    /// A limit by names, and a command that cannot be read.
    #[error("it may command what is named {patterns} alone, and what this command names cannot be read")]
    Unreadable {
        /// The patterns, joined.
        patterns: String,
    },
}

impl Denied {
    /// The kind of refusal, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Denied::Viewer | Denied::NotAdmin => "role-too-low",
            _ => "out-of-reach",
        }
    }
}

impl Grant {
    /// A role without limits.
    #[must_use]
    pub fn of(role: Role) -> Self {
        Self { role: role.word().to_owned(), ..Self::default() }
    }

    /// What the key may do at all.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role.parse().unwrap_or(Role::Viewer)
    }

    /// Judges a command.
    ///
    /// # Errors
    /// [`Denied`] says how far the role reaches instead.
    pub fn allows(&self, target: &Target<'_>) -> Result<(), Denied> {
        let effect = target.verb.effect();
        match (effect, self.role()) {
            (Effect::Reads, _) | (_, Role::Admin) => return Ok(()),
            (_, Role::Viewer) => return Err(Denied::Viewer),
            (Effect::ChangesWhoMay, Role::Operator) => return Err(Denied::NotAdmin),
            (Effect::ChangesHost | Effect::ChangesLattice, Role::Operator) => {}
        }
        self.reaches_host(target, effect)?;
        self.reaches_names(target)
    }

    fn reaches_host(&self, target: &Target<'_>, effect: Effect) -> Result<(), Denied> {
        if self.hosts.is_empty() {
            return Ok(());
        }
        let pair = |(key, value): (&String, &String)| format!("{key}={value}");
        let wanted = || self.hosts.iter().map(pair).collect::<Vec<_>>().join(", ");
        match target.verb {
            CtlVerb::LabelPut(_) | CtlVerb::LabelDel(_) => Err(Denied::Labels { wanted: wanted() }),
            // By names alone, since no host has more part in it than another.
            _ if effect == Effect::ChangesLattice && self.names.is_empty() => {
                Err(Denied::WholeLattice { wanted: wanted() })
            }
            _ if effect == Effect::ChangesLattice || target.labels.satisfy(&self.hosts) => Ok(()),
            _ => Err(Denied::OtherHost { wanted: wanted() }),
        }
    }

    fn reaches_names(&self, target: &Target<'_>) -> Result<(), Denied> {
        if self.names.is_empty() {
            return Ok(());
        }
        let patterns = || self.names.join(", ");
        let Some(names) = target.names else { return Err(Denied::Unreadable { patterns: patterns() }) };
        if names.is_empty() {
            return Err(Denied::NoName { patterns: patterns() });
        }
        let reached = |name: &&String| self.names.iter().any(|pattern| matches(pattern, name));
        match names.iter().find(|name| !reached(name)) {
            None => Ok(()),
            Some(name) => Err(Denied::OtherName { patterns: patterns(), name: name.clone() }),
        }
    }
}

/// Whether `name` fits `pattern`, in which `*` stands for any characters, also none.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    // Each part at its first place: what is left for the others is then the most.
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(end)
}

/// A signed command, kept as the evidence for the fact that it made: its token names the body by its hash. Both fields are required;
/// unknown ones are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The token.
    pub token: String,
    /// The body, as it was sent.
    pub body: String,
}

/// The fact under `role.{user key}`. It counts only with the order of somebody who is an admin, so that whoever can write to
/// the bucket does not become one by that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleFact {
    /// What the key may do.
    #[serde(flatten)]
    pub grant: Grant,
    /// Who said so, for people: the order is what counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserKey>,
    /// The command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ConfigName, HostId};

    fn host() -> HostId {
        HostId::new(format!("N{}", "B".repeat(55))).unwrap()
    }

    fn grant(role: Role, hosts: &[(&str, &str)], names: &[&str]) -> Grant {
        let hosts = hosts.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Grant { hosts, names: names.iter().map(|name| (*name).to_owned()).collect(), ..Grant::of(role) }
    }

    fn judge(grant: &Grant, verb: &CtlVerb, site: &str, names: &[&str]) -> Option<&'static str> {
        let labels = Labels([("site".to_owned(), site.to_owned())].into());
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let target = Target { verb, labels: &labels, names: Some(&names) };
        grant.allows(&target).err().map(|denied| match denied {
            Denied::Viewer => "viewer",
            Denied::NotAdmin => "admin",
            Denied::OtherHost { .. } => "host",
            Denied::Labels { .. } => "labels",
            Denied::WholeLattice { .. } => "lattice",
            Denied::OtherName { .. } => "name",
            Denied::NoName { .. } => "no name",
            Denied::Unreadable { .. } => "unreadable",
        })
    }

    #[test]
    fn roles_and_how_far_they_reach() {
        let (scale, stop) = (CtlVerb::ComponentScale(host()), CtlVerb::HostStop(host()));
        let (label, link) = (CtlVerb::LabelPut(host()), CtlVerb::LinkPut);
        let config = CtlVerb::ConfigDel(ConfigName::new("shop-web").unwrap());
        let everywhere = grant(Role::Operator, &[], &[]);
        let plant = grant(Role::Operator, &[("site", "plant")], &[]);
        let shop = grant(Role::Operator, &[], &["shop-*", "http"]);
        let both = grant(Role::Operator, &[("site", "plant")], &["shop-*"]);
        let (viewer, admin) = (grant(Role::Viewer, &[], &[]), grant(Role::Admin, &[], &[]));
        for (grant, verb, site, names, denied) in [
            (&viewer, &CtlVerb::LinkGet, "plant", &[][..], None),
            (&viewer, &scale, "plant", &["shop-a"], Some("viewer")),
            (&viewer, &CtlVerb::RegistryPut, "plant", &[], Some("viewer")),
            (&everywhere, &scale, "plant", &["a"], None),
            (&everywhere, &label, "plant", &[], None),
            (&everywhere, &CtlVerb::TrustPut, "plant", &["A"], Some("admin")),
            (&everywhere, &CtlVerb::RoleDel, "plant", &["U"], Some("admin")),
            (&admin, &CtlVerb::RolePut, "plant", &["U"], None),
            (&admin, &stop, "plant", &[], None),
            (&plant, &scale, "plant", &["a"], None),
            (&plant, &scale, "shop", &["a"], Some("host")),
            (&plant, &stop, "plant", &[], None),
            (&plant, &label, "plant", &[], Some("labels")),
            (&plant, &link, "plant", &["a", "b"], Some("lattice")),
            (&shop, &scale, "x", &["shop-a", "shop-web"], None),
            (&shop, &scale, "x", &["shop-a", "secrets"], Some("name")),
            (&shop, &link, "x", &["http", "shop-a"], None),
            (&shop, &link, "x", &["http", "bank"], Some("name")),
            (&shop, &config, "x", &["shop-web"], None),
            (&shop, &stop, "x", &[], Some("no name")),
            (&both, &scale, "plant", &["shop-a"], None),
            (&both, &scale, "shop", &["shop-a"], Some("host")),
            (&both, &link, "shop", &["shop-a", "shop-b"], None),
            (&both, &link, "plant", &["shop-a", "http"], Some("name")),
        ] {
            assert_eq!(judge(grant, verb, site, names), denied, "{grant:?} {verb:?} {site} {names:?}");
        }
        let target = Target { verb: &scale, labels: &Labels::default(), names: None };
        assert_eq!(shop.allows(&target).unwrap_err().code(), "out-of-reach");
        assert_eq!(everywhere.allows(&target), Ok(()), "what cannot be read is refused by whoever reads it");
    }

    #[test]
    fn a_fact_as_it_is_written_and_of_another_version() {
        let order = Order { token: "a.b.c".into(), body: "{}".into() };
        let by = UserKey::new(format!("U{}", "B".repeat(55))).unwrap();
        let grant = grant(Role::Operator, &[("site", "plant")], &["shop-*"]);
        let fact = RoleFact { grant, by: Some(by), order: Some(order) };
        insta::assert_json_snapshot!(fact, @r#"
        {
          "role": "operator",
          "hosts": {
            "site": "plant"
          },
          "names": [
            "shop-*"
          ],
          "by": "UBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
          "order": {
            "token": "a.b.c",
            "body": "{}"
          }
        }
        "#);
        let text = serde_json::to_string(&fact).unwrap();
        assert_eq!(serde_json::from_str::<RoleFact>(&text).unwrap(), fact);
        for text in ["{}", r#"{"role":"emperor","more":1}"#] {
            let read: RoleFact = serde_json::from_str(text).unwrap();
            assert_eq!((read.grant.role(), read.order), (Role::Viewer, None), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_fits_what_it_is_made_of(parts in proptest::collection::vec("[ab-]{0,3}", 1..5), fill in "[abc-]{0,4}") {
            let (pattern, name) = (parts.join("*"), parts.join(&fill));
            prop_assert!(matches(&pattern, &name), "{} {}", pattern, name);
            let is_plain = parts.len() == 1;
            let grown = format!("{}x", name);
            prop_assert_eq!(matches(&pattern, &grown), !is_plain && parts.last().is_some_and(String::is_empty));
            prop_assert!(matches("*", &name));
        }

        #[test]
        fn who_may_more_may_all_that_others_may(
            hosts in any::<bool>(), names in any::<bool>(), site in "plant|shop", name in "shop-a|bank",
        ) {
            let limits: (&[(&str, &str)], &[&str]) =
                (if hosts { &[("site", "plant")] } else { &[] }, if names { &["shop-*"] } else { &[] });
            let verbs = [CtlVerb::ComponentScale(host()), CtlVerb::LinkPut, CtlVerb::TrustDel, CtlVerb::HostStop(host()), CtlVerb::LinkGet];
            for verb in verbs {
                let may = |role, (hosts, names): (&[(&str, &str)], &[&str])| {
                    judge(&grant(role, hosts, names), &verb, &site, &[&name]).is_none()
                };
                let none: (&[(&str, &str)], &[&str]) = (&[], &[]);
                prop_assert!(!may(Role::Viewer, limits) || may(Role::Operator, none));
                prop_assert!(!may(Role::Operator, limits) || may(Role::Operator, none));
                prop_assert!(!may(Role::Operator, none) || may(Role::Admin, none));
                prop_assert_eq!(may(Role::Viewer, none), verb.effect() == Effect::Reads);
            }
        }
    }
}
