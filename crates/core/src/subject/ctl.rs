//! Control subjects, `wasmbus.ctl.v1.{lattice}.…`, and those of events, `wasmbus.evt.{lattice}.{name}`, both as wasmCloud 1.x
//! writes them.

use std::fmt;

use super::CtlVerb;
use crate::{ConfigName, EventName, HostId, LatticeName, escape_token, unescape};

/// A control subject, typed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CtlSubject {
    /// The lattice it belongs to.
    pub lattice: LatticeName,
    /// What is asked.
    pub verb: CtlVerb,
}

/// Why a subject is not a control subject of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unsupported subject {subject:?}: {why}")]
pub struct SubjectError {
    /// The subject as read.
    pub subject: String,
    /// What is wrong with it.
    pub why: String,
}

/// `wasmbus.ctl.v1.{lattice}`.
#[must_use]
pub fn ctl_prefix(lattice: &LatticeName) -> String {
    format!("wasmbus.ctl.v1.{lattice}")
}

/// `wasmbus.evt.{lattice}.{name}`; without a name all events of the lattice.
#[must_use]
pub fn event_subject(lattice: &LatticeName, name: Option<EventName>) -> String {
    match name {
        Some(name) => format!("wasmbus.evt.{lattice}.{name}"),
        None => format!("wasmbus.evt.{lattice}.>"),
    }
}

/// The subscriptions of a host that leaves the lattice's state to others: `host.ping`, so that it is found, what is
/// addressed to it by its id, and `host.forget`, which concerns hosts of our kind alone. No auctions: whoever wins one is
/// expected to know the links.
#[must_use]
pub fn ctl_own_subscriptions(lattice: &LatticeName, host: &HostId) -> Vec<(String, Option<String>)> {
    let p = ctl_prefix(lattice);
    let own = ["host", "component", "provider", "label"].map(|noun| format!("{p}.{noun}.*.{host}"));
    let own = [format!("{p}.host.ping")].into_iter().chain(own).map(|subject| (subject, None));
    own.chain([forget_subscription(&p)]).collect()
}

fn forget_subscription(prefix: &str) -> (String, Option<String>) {
    (format!("{prefix}.host.forget"), Some(format!("{prefix}.host")))
}

/// The subscriptions of a host: subject, and the queue group where exactly one host shall answer.
#[must_use]
pub fn ctl_all_subscriptions(lattice: &LatticeName, host: &HostId) -> Vec<(String, Option<String>)> {
    let p = ctl_prefix(lattice);
    let mut all: Vec<(String, Option<String>)> = [
        format!("{p}.host.ping"),
        format!("{p}.registry.put"),
        format!("{p}.host.*.{host}"),
        format!("{p}.component.*.{host}"),
        format!("{p}.provider.*.{host}"),
        format!("{p}.label.*.{host}"),
        format!("{p}.component.auction"),
        format!("{p}.provider.auction"),
    ]
    .into_iter()
    .map(|subject| (subject, None))
    .collect();
    all.push(forget_subscription(&p));
    all.push((format!("{p}.link.*"), Some(format!("{p}.link"))));
    all.push((format!("{p}.claims.get"), Some(format!("{p}.claims"))));
    all.push((format!("{p}.config.>"), Some(format!("{p}.config"))));
    all.push((format!("{p}.trust.*"), Some(format!("{p}.trust"))));
    all.push((format!("{p}.role.*"), Some(format!("{p}.role"))));
    all.push((format!("{p}.secret.*"), Some(format!("{p}.secret"))));
    all
}

impl CtlSubject {
    /// Reads a subject.
    ///
    /// # Errors
    /// [`SubjectError`] for another prefix, an unknown operation, or a malformed id.
    pub fn parse(subject: &str) -> Result<Self, SubjectError> {
        let fail =
            |why: &str| SubjectError { subject: subject.chars().take(512).collect(), why: why.to_owned() };
        let rest =
            subject.strip_prefix("wasmbus.ctl.v1.").ok_or_else(|| fail("not of the v1 control protocol"))?;
        let (lattice, rest) = rest.split_once('.').ok_or_else(|| fail("no operation"))?;
        let lattice = LatticeName::new(lattice).map_err(|e| fail(&e.to_string()))?;
        let (noun, rest) = rest.split_once('.').ok_or_else(|| fail("no operation"))?;
        let (verb, id) = rest.split_once('.').map_or((rest, None), |(verb, id)| (verb, Some(id)));
        let verb = match (noun, verb, id) {
            ("host", "ping", None) => CtlVerb::HostPing,
            ("host", "forget", None) => CtlVerb::HostForget,
            ("component", "auction", None) => CtlVerb::ComponentAuction,
            ("provider", "auction", None) => CtlVerb::ProviderAuction,
            ("link", "put", None) => CtlVerb::LinkPut,
            ("link", "del", None) => CtlVerb::LinkDel,
            ("link", "get", None) => CtlVerb::LinkGet,
            ("claims", "get", None) => CtlVerb::ClaimsGet,
            ("registry", "put", None) => CtlVerb::RegistryPut,
            ("trust", "put", None) => CtlVerb::TrustPut,
            ("trust", "del", None) => CtlVerb::TrustDel,
            ("trust", "get", None) => CtlVerb::TrustGet,
            ("role", "put", None) => CtlVerb::RolePut,
            ("role", "del", None) => CtlVerb::RoleDel,
            ("role", "get", None) => CtlVerb::RoleGet,
            ("secret", "put", None) => CtlVerb::SecretPut,
            ("secret", "del", None) => CtlVerb::SecretDel,
            ("secret", "list", None) => CtlVerb::SecretList,
            ("config", verb, Some(id)) => config_verb(verb, id).map_err(|why| fail(&why))?,
            (noun, verb, Some(id)) => {
                let host = HostId::new(id).map_err(|e| fail(&e.to_string()))?;
                host_verb(noun, verb, host).ok_or_else(|| fail("unknown operation"))?
            }
            _ => return Err(fail("unknown operation")),
        };
        Ok(Self { lattice, verb })
    }
}

fn host_verb(noun: &str, verb: &str, host: HostId) -> Option<CtlVerb> {
    Some(match (noun, verb) {
        ("host", "get") => CtlVerb::HostGet(host),
        ("host", "stop") => CtlVerb::HostStop(host),
        ("component", "scale") => CtlVerb::ComponentScale(host),
        ("component", "update") => CtlVerb::ComponentUpdate(host),
        ("component", "call") => CtlVerb::ComponentCall(host),
        ("provider", "start") => CtlVerb::ProviderStart(host),
        ("provider", "stop") => CtlVerb::ProviderStop(host),
        ("label", "put") => CtlVerb::LabelPut(host),
        ("label", "del") => CtlVerb::LabelDel(host),
        _ => return None,
    })
}

/// Config names of v1 clients come as they are, dots and all; ours come escaped. Both read.
fn config_verb(verb: &str, id: &str) -> Result<CtlVerb, String> {
    let text = unescape(id).ok_or("the config name is not escaped as ours are")?;
    let name = ConfigName::new(text).map_err(|e| e.to_string())?;
    match verb {
        "put" => Ok(CtlVerb::ConfigPut(name)),
        "get" => Ok(CtlVerb::ConfigGet(name)),
        "del" => Ok(CtlVerb::ConfigDel(name)),
        _ => Err("unknown operation".to_owned()),
    }
}

impl fmt::Display for CtlSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", ctl_prefix(&self.lattice), self.verb.name())?;
        match (self.verb.host(), self.verb.config()) {
            (Some(host), _) => write!(f, ".{host}"),
            (None, Some(config)) => write!(f, ".{}", escape_token(config.as_str())),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host() -> HostId {
        HostId::new(format!("N{}", "B".repeat(55))).unwrap()
    }

    fn verbs() -> Vec<CtlVerb> {
        CtlVerb::every(&host(), &ConfigName::new("a.b/c").unwrap())
    }

    #[test]
    fn every_verb_reads_back() {
        for verb in verbs() {
            let subject = CtlSubject { lattice: LatticeName::default(), verb };
            assert_eq!(CtlSubject::parse(&subject.to_string()), Ok(subject));
        }
    }

    #[test]
    fn subjects_as_v1_writes_them() {
        let all: Vec<String> = verbs()
            .into_iter()
            .map(|verb| CtlSubject { lattice: LatticeName::default(), verb }.to_string())
            .map(|subject| subject.replace(host().as_str(), "{host}"))
            .collect();
        insta::assert_snapshot!(all.join("\n"), @r"
        wasmbus.ctl.v1.default.host.ping
        wasmbus.ctl.v1.default.host.get.{host}
        wasmbus.ctl.v1.default.host.stop.{host}
        wasmbus.ctl.v1.default.host.forget
        wasmbus.ctl.v1.default.component.auction
        wasmbus.ctl.v1.default.component.scale.{host}
        wasmbus.ctl.v1.default.component.update.{host}
        wasmbus.ctl.v1.default.component.call.{host}
        wasmbus.ctl.v1.default.provider.auction
        wasmbus.ctl.v1.default.provider.start.{host}
        wasmbus.ctl.v1.default.provider.stop.{host}
        wasmbus.ctl.v1.default.label.put.{host}
        wasmbus.ctl.v1.default.label.del.{host}
        wasmbus.ctl.v1.default.link.put
        wasmbus.ctl.v1.default.link.del
        wasmbus.ctl.v1.default.link.get
        wasmbus.ctl.v1.default.claims.get
        wasmbus.ctl.v1.default.config.put.a=2Eb/c
        wasmbus.ctl.v1.default.config.get.a=2Eb/c
        wasmbus.ctl.v1.default.config.del.a=2Eb/c
        wasmbus.ctl.v1.default.registry.put
        wasmbus.ctl.v1.default.trust.put
        wasmbus.ctl.v1.default.trust.del
        wasmbus.ctl.v1.default.trust.get
        wasmbus.ctl.v1.default.role.put
        wasmbus.ctl.v1.default.role.del
        wasmbus.ctl.v1.default.role.get
        wasmbus.ctl.v1.default.secret.put
        wasmbus.ctl.v1.default.secret.del
        wasmbus.ctl.v1.default.secret.list
        ");
        let dotted = CtlSubject::parse("wasmbus.ctl.v1.default.config.put.a.b/c").unwrap();
        assert_eq!(dotted.verb, CtlVerb::ConfigPut(ConfigName::new("a.b/c").unwrap()));
    }

    proptest! {
        #[test]
        fn any_subject_is_read_or_refused(text in ".{0,120}") {
            let _ = CtlSubject::parse(&text);
            let _ = CtlSubject::parse(&format!("wasmbus.ctl.v1.default.{text}"));
        }
    }
}
