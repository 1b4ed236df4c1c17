//! Subjects between a host and its provider processes: `wasmbus.rpc.{lattice}.{provider}.…` there, as wasmCloud 1.x writes
//! them, and back on subjects that the provider alone may write and its host alone may read.
//!
//! A provider's credentials let it publish to no inbox but its own, so what it answers goes the way of all answers:
//! `wasmbus.back.{lattice}.{provider}.{host}.{connection}.{number}`.

use std::fmt;

use super::{SubjectError, inbox::is_inbox};
use crate::{BackSubject, HostId, LatticeName, ProviderId, every::every};

/// What a host says to a provider process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderVerb {
    /// How are you?
    Health,
    /// End.
    Shutdown,
    /// Take this link, new or changed.
    PutLink,
    /// Forget this link.
    DeleteLink,
    /// Your configuration is this from now on.
    UpdateConfig,
    /// Your credentials are these from now on; sealed. Ours: wasmCloud 1.x knows none.
    RenewCredentials,
}

impl ProviderVerb {
    every! {
        "Every verb."
        ProviderVerb: Health, Shutdown, PutLink, DeleteLink, UpdateConfig, RenewCredentials,
    }

    /// What stands behind the provider's id.
    fn tail(self) -> &'static str {
        match self {
            ProviderVerb::Health => "health",
            ProviderVerb::Shutdown => "default.shutdown",
            ProviderVerb::PutLink => "linkdefs.put",
            ProviderVerb::DeleteLink => "linkdefs.del",
            ProviderVerb::UpdateConfig => "config.update",
            ProviderVerb::RenewCredentials => "credentials.renew",
        }
    }
}

/// Where a host speaks to a provider process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProviderSubject {
    /// The lattice.
    pub lattice: LatticeName,
    /// Who is spoken to.
    pub provider: ProviderId,
    /// What is said.
    pub verb: ProviderVerb,
}

impl ProviderSubject {
    /// Reads a subject.
    ///
    /// # Errors
    /// [`SubjectError`] for another prefix, a malformed id, and a verb that is not known.
    pub fn parse(subject: &str) -> Result<Self, SubjectError> {
        let fail = |why: String| SubjectError { subject: subject.chars().take(512).collect(), why };
        let rest = subject.strip_prefix("wasmbus.rpc.");
        let rest = rest.ok_or_else(|| fail("not what a host says to a provider".to_owned()))?;
        let too_few = || fail("too few tokens".to_owned());
        let (lattice, rest) = rest.split_once('.').ok_or_else(too_few)?;
        let (provider, tail) = rest.split_once('.').ok_or_else(too_few)?;
        let verb = ProviderVerb::ALL.into_iter().find(|verb| verb.tail() == tail);
        Ok(Self {
            lattice: LatticeName::new(lattice).map_err(|error| fail(error.to_string()))?,
            provider: ProviderId::new(provider).map_err(|error| fail(error.to_string()))?,
            verb: verb.ok_or_else(|| fail("a provider does not know this".to_owned()))?,
        })
    }
}

impl fmt::Display for ProviderSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wasmbus.rpc.{}.{}.{}", self.lattice, self.provider, self.verb.tail())
    }
}

/// What a provider process subscribes: all that its host says.
#[must_use]
pub fn provider_subscription(lattice: &LatticeName, provider: &ProviderId) -> String {
    format!("wasmbus.rpc.{lattice}.{provider}.>")
}

/// Where a provider answers `host`: the question `number` of the host's connection for such questions.
#[must_use]
pub fn provider_answer(
    lattice: &LatticeName,
    provider: &ProviderId,
    host: &HostId,
    connection: u64,
    number: u64,
) -> String {
    let (writer, reader) = (provider.as_str(), host.as_str());
    BackSubject { lattice: lattice.as_str(), writer, reader, connection, call: number }.to_string()
}

/// True if a provider may answer there: on subjects of its own, or an inbox of whoever asks, and nowhere else, so that nobody
/// makes it publish anything to somebody.
#[must_use]
pub fn may_provider_answer(lattice: &LatticeName, provider: &ProviderId, subject: &str) -> bool {
    let own = BackSubject::parse(subject).is_some_and(|back| {
        back.lattice == lattice.as_str() && back.writer == provider.as_str() && back.call != 0
    });
    own || is_inbox(lattice, subject)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> ProviderId {
        ProviderId::new(text).unwrap()
    }

    #[test]
    fn subjects_as_they_stand_on_the_wire() {
        let lattice = LatticeName::default();
        let host = HostId::new(format!("N{}", "B".repeat(55))).unwrap();
        let subject =
            |verb| ProviderSubject { lattice: lattice.clone(), provider: id("kv"), verb }.to_string();
        let all: Vec<String> = ProviderVerb::ALL.into_iter().map(subject).collect();
        let answer = provider_answer(&lattice, &id("kv"), &host, 0x1f, 2).replace(host.as_str(), "{host}");
        insta::assert_snapshot!(
            format!("{}\n{}\n{answer}", all.join("\n"), provider_subscription(&lattice, &id("kv"))),
            @r"
        wasmbus.rpc.default.kv.health
        wasmbus.rpc.default.kv.default.shutdown
        wasmbus.rpc.default.kv.linkdefs.put
        wasmbus.rpc.default.kv.linkdefs.del
        wasmbus.rpc.default.kv.config.update
        wasmbus.rpc.default.kv.credentials.renew
        wasmbus.rpc.default.kv.>
        wasmbus.back.default.kv.{host}.000000000000001f.0000000000000002
        "
        );
    }

    #[test]
    fn a_provider_answers_only_where_answers_are_waited_for() {
        let lattice = LatticeName::default();
        let host = HostId::new(format!("N{}", "B".repeat(55))).unwrap();
        let may = |subject: &str| may_provider_answer(&lattice, &id("kv"), subject);
        assert!(may(&provider_answer(&lattice, &id("kv"), &host, 1, 1)));
        assert!(may("_INBOX.abc.1") && may("wasmbus.inbox.default.anna.1"));
        for other in [
            provider_answer(&lattice, &id("other"), &host, 1, 1).as_str(),
            provider_answer(&LatticeName::new("shop").unwrap(), &id("kv"), &host, 1, 1).as_str(),
            "wasmbus.ctl.v1.default.host.stop.N",
            "wasmbus.inbox.shop.anna.1",
            "wasmbus.evt.default.host_stopped",
            "$KV.LATTICE_default.x",
            "",
        ] {
            assert!(!may(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_subject_reads_back(provider in "[A-Za-z0-9_-]{1,128}", lattice in "[A-Za-z0-9_-]{1,64}", verb in 0_usize..6) {
            let (lattice, verb) = (LatticeName::new(lattice).unwrap(), ProviderVerb::ALL[verb]);
            let subject = ProviderSubject { lattice, provider: id(&provider), verb };
            prop_assert_eq!(ProviderSubject::parse(&subject.to_string()), Ok(subject));
        }

        #[test]
        fn any_subject_is_read_or_refused(text in ".{0,120}") {
            let _ = ProviderSubject::parse(&text);
            let _ = ProviderSubject::parse(&format!("wasmbus.rpc.default.{text}"));
        }
    }
}
