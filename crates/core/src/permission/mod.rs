//! Who may do what on a lattice's NATS: one table, from which everything else is made.
//!
//! [`TABLE`] has a row for each subject that a role may publish to or subscribe to. User tokens, the configuration of a server with
//! names and passwords, and the table in `docs/security.md` are all made of it, and of nothing else. All permissions are
//! fixed: what may be said stands in the subject (writer, reader, source), so a broker needs to remember nothing for a call.

mod conf;
mod document;
mod pattern;
mod table;
mod template;

use std::{fmt, str::FromStr};

use crate::{EntityId, HostId, LatticeName, every::every};

pub use conf::{ServerUser, server_authorization};
pub use document::permissions_document;
pub use pattern::subject_matches;
pub use table::{Lane, Row, TABLE};
pub use template::Template;

/// What somebody is on a lattice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Runs actors: calls as any of them, keeps the lattice's state, answers control requests.
    Host,
    /// Steers: every control request, and the events.
    Operator,
    /// Looks: the control requests that change nothing, and the events.
    Viewer,
    /// Gives actors a capability from a process of its own: calls and answers as itself alone.
    Provider,
    /// A program that calls actors as itself, and serves nothing.
    Tool,
    /// The leaf connection of a further site: all of one lattice, nothing of another.
    Site,
}

impl Role {
    every! {
        "Every role, in the order in which documents list them."
        Role: Host, Operator, Viewer, Provider, Tool, Site,
    }

    /// The word that commands and tokens use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Host => "host",
            Role::Operator => "operator",
            Role::Viewer => "viewer",
            Role::Provider => "provider",
            Role::Tool => "tool",
            Role::Site => "site",
        }
    }

    /// What it is for, in a few words.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Role::Host => "runs actors, keeps the lattice's state, answers control requests",
            Role::Operator => "steers: every control request, and the events",
            Role::Viewer => "looks: what changes nothing, and the events",
            Role::Provider => "serves a capability and calls, as itself alone",
            Role::Tool => "calls actors, as itself alone",
            Role::Site => "the leaf connection of a further site: all of one lattice, nothing of another",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No role has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role; roles are host, operator, viewer, provider, tool and site")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let known = Role::ALL.into_iter().find(|role| role.name() == text);
        known.ok_or_else(|| UnknownRole(text.chars().take(64).collect()))
    }
}

/// On which lattices of a NATS account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reach {
    /// One.
    Lattice(LatticeName),
    /// Every one, for whoever owns the account.
    Every,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}

impl Reach {
    /// What stands in the lattice's place in a subject.
    fn token(&self) -> &str {
        match self {
            Reach::Lattice(name) => name.as_str(),
            Reach::Every => "*",
        }
    }
}

/// Somebody with a role.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// One host; or, without an id, whichever host holds the credentials: those of one machine under one user, who could read
    /// each other's keys anyway.
    Host(Option<HostId>),
    /// An operator by name.
    Operator(EntityId),
    /// A viewer by name.
    Viewer(EntityId),
    /// A provider by its id.
    Provider(EntityId),
    /// A program by the name that it calls with.
    Tool(EntityId),
    /// A site by name.
    Site(EntityId),
}

impl Principal {
    /// Its role.
    #[must_use]
    pub fn role(&self) -> Role {
        match self {
            Principal::Host(_) => Role::Host,
            Principal::Operator(_) => Role::Operator,
            Principal::Viewer(_) => Role::Viewer,
            Principal::Provider(_) => Role::Provider,
            Principal::Tool(_) => Role::Tool,
            Principal::Site(_) => Role::Site,
        }
    }

    /// What stands in its place in a subject.
    fn token(&self) -> &str {
        match self {
            Principal::Host(None) => "*",
            Principal::Host(Some(id)) => id.as_str(),
            Principal::Operator(name)
            | Principal::Viewer(name)
            | Principal::Provider(name)
            | Principal::Tool(name)
            | Principal::Site(name) => name.as_str(),
        }
    }
}

/// What a NATS server is told about one user: all that it may do. Subjects may hold wildcards; a subscription that only a queue
/// group may make has the group after a blank, as servers read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Where it may publish.
    pub publish: Vec<String>,
    /// What it may subscribe to.
    pub subscribe: Vec<String>,
}

impl Permissions {
    /// What `principal` may do on the lattices within `reach`.
    #[must_use]
    pub fn of(principal: &Principal, reach: &Reach) -> Self {
        Self::filled(principal.role(), reach.token(), principal.token())
    }

    fn filled(role: Role, lattice: &str, me: &str) -> Self {
        let of = |lane: Lane| {
            let rows = TABLE.iter().filter(|row| row.role == role && row.lane == lane);
            rows.map(|row| row.filled(lattice, me)).collect()
        };
        Self { publish: of(Lane::Publish), subscribe: of(Lane::Subscribe) }
    }

    /// True if a message to `subject` is passed on.
    #[must_use]
    pub fn may_publish(&self, subject: &str) -> bool {
        self.publish.iter().any(|pattern| subject_matches(pattern, subject))
    }

    /// True if a subscription to `subject`, wildcards and all, is made; `queue` is its group.
    #[must_use]
    pub fn may_subscribe(&self, subject: &str, queue: Option<&str>) -> bool {
        self.subscribe.iter().any(|allowed| match allowed.split_once(' ') {
            None => subject_matches(allowed, subject),
            Some((pattern, group)) => {
                subject_matches(pattern, subject) && queue.is_some_and(|queue| subject_matches(group, queue))
            }
        })
    }
}

/// The prefix of the subjects on which answers come back to `me`, a host, provider or tool: `wasmbus.inbox.{lattice}.{me}`. It is
/// everybody's own, so that nobody reads another's answers, which with NATS's own `_INBOX` everybody can. People have theirs where no id
/// can stand, `wasmbus.inbox.{lattice}.=user.{name}`, since whoever starts a provider chooses its id.
#[must_use]
pub fn inbox_prefix(lattice: &LatticeName, me: &str) -> String {
    format!("wasmbus.inbox.{lattice}.{me}")
}

/// The inbox prefix that goes with what a user may subscribe to: on `lattice`, and where every host may use the credentials, with
/// `host` in its place. None if these permissions know no inbox of ours: then it is NATS's own.
#[must_use]
pub fn inbox_within(subscribe: &[String], lattice: &LatticeName, host: Option<&HostId>) -> Option<String> {
    let inbox =
        subscribe.iter().find_map(|subject| subject.strip_prefix("wasmbus.inbox.")?.strip_suffix(".>"))?;
    let me = match inbox.split_once('.')? {
        (_, "*") => host?.as_str(),
        // No place of one's own, and no subject for answers.
        (_, me) if me.contains(['*', '>']) => return None,
        (_, me) => me,
    };
    let prefix = inbox_prefix(lattice, me);
    let own = format!("{prefix}.>");
    subscribe.iter().any(|allowed| subject_matches(allowed, &own)).then_some(prefix)
}

#[cfg(test)]
mod tests;
