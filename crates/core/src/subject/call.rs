//! Subjects of calls: where a call goes, and where everything comes back.
//!
//! Source, target, writer and reader stand in them, so that a broker's fixed permissions say who may call as whom, answer
//! as whom, and read what.

use std::{fmt, sync::Arc};

use super::SubjectError;
use crate::{EntityId, HostId, LatticeName, escape::push_token, unescape};

/// Who shall take a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CallTo {
    /// Whoever serves the target; the broker picks one. For callers that know no hosts.
    Anyone,
    /// The target on that host, and nobody else.
    Host(HostId),
}

/// Where a call goes:
/// `wasmbus.call.{lattice}.{source}.{target}.{interface}.{function}`, or
/// `wasmbus.host.{lattice}.{source}.{host}.{target}.{interface}.{function}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallSubject {
    /// The lattice.
    pub lattice: LatticeName,
    /// Who calls.
    pub source: EntityId,
    /// Who shall take it.
    pub to: CallTo,
    /// Who is called.
    pub target: EntityId,
    /// The interface with its package; empty for a function at a component's root.
    pub interface: Arc<str>,
    /// The function.
    pub function: Arc<str>,
}

impl CallSubject {
    /// Reads a subject.
    ///
    /// # Errors
    /// [`SubjectError`] for another prefix, a wrong number of tokens, a malformed id or escape.
    pub fn parse(subject: &str) -> Result<Self, SubjectError> {
        let fail = |why: String| SubjectError { subject: subject.chars().take(512).collect(), why };
        let mut tokens = subject.split('.');
        let mut next = || tokens.next().ok_or_else(|| fail("too few tokens for a call".to_owned()));
        if next()? != "wasmbus" {
            return Err(fail("not of a lattice".to_owned()));
        }
        let by_host = match next()? {
            "call" => false,
            "host" => true,
            _ => return Err(fail("no call".to_owned())),
        };
        let lattice = LatticeName::new(next()?).map_err(|e| fail(e.to_string()))?;
        let source = EntityId::new(next()?).map_err(|e| fail(e.to_string()))?;
        let to = match by_host {
            true => CallTo::Host(HostId::new(next()?).map_err(|e| fail(e.to_string()))?),
            false => CallTo::Anyone,
        };
        let target = EntityId::new(next()?).map_err(|e| fail(e.to_string()))?;
        let interface = read_name(next()?).ok_or_else(|| fail("the interface is not escaped".to_owned()))?;
        let function = read_name(next()?).ok_or_else(|| fail("the function is not escaped".to_owned()))?;
        match tokens.next() {
            None => Ok(Self { lattice, source, to, target, interface, function }),
            Some(_) => Err(fail("too many tokens for a call".to_owned())),
        }
    }
}

impl fmt::Display for CallSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lattice, source, to, target, interface, function } = self;
        f.write_str(&call_subject(lattice, source, to, target, interface, function))
    }
}

/// The subject of a call, as [`CallSubject`] writes it, from borrowed parts.
#[must_use]
pub fn call_subject(
    lattice: &LatticeName,
    source: &EntityId,
    to: &CallTo,
    target: &EntityId,
    interface: &str,
    function: &str,
) -> String {
    let mut out = String::with_capacity(256);
    let (kind, host) = match to {
        CallTo::Anyone => ("wasmbus.call.", None),
        CallTo::Host(host) => ("wasmbus.host.", Some(host.as_str())),
    };
    out.push_str(kind);
    out.push_str(lattice.as_str());
    for id in [Some(source.as_str()), host, Some(target.as_str())].into_iter().flatten() {
        out.push('.');
        out.push_str(id);
    }
    for name in [interface, function] {
        out.push('.');
        write_name(&mut out, name);
    }
    out
}

/// An empty name, which no token can be, is written as a lone `=`.
fn write_name(out: &mut String, name: &str) {
    if name.is_empty() { out.push('=') } else { push_token(out, name) }
}

fn read_name(token: &str) -> Option<Arc<str>> {
    match token {
        "" => None,
        "=" => Some(Arc::default()),
        _ => unescape(token).map(Arc::from),
    }
}

/// What whoever serves `target` subscribes, with the queue group: calls of anybody that name no host.
#[must_use]
pub fn calls_of_target(lattice: &LatticeName, target: &EntityId) -> (String, String) {
    (format!("wasmbus.call.{lattice}.*.{target}.>"), target.to_string())
}

/// What a host subscribes: calls of anybody that name it.
#[must_use]
pub fn calls_of_host(lattice: &LatticeName, host: &HostId) -> String {
    format!("wasmbus.host.{lattice}.*.{host}.>")
}

/// What a connection subscribes: all that comes back to it.
#[must_use]
pub fn back_subscription(lattice: &LatticeName, reader: &EntityId, connection: u64) -> String {
    format!("wasmbus.back.{lattice}.*.{reader}.{connection:016x}.*")
}

/// Where something comes back: `wasmbus.back.{lattice}.{writer}.{reader}.{connection}.{call}`. Borrowed, since one is
/// built or read with every message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackSubject<'a> {
    /// The lattice.
    pub lattice: &'a str,
    /// Who alone may publish there: the target of the call, or for what goes to the callee its source.
    pub writer: &'a str,
    /// Who alone may read there: the owner of the connection.
    pub reader: &'a str,
    /// Which connection of that owner.
    pub connection: u64,
    /// Which call of that connection.
    pub call: u64,
}

impl<'a> BackSubject<'a> {
    /// Reads a subject; `None` if it is not of this family, or has tokens that cannot be ids.
    #[must_use]
    pub fn parse(subject: &'a str) -> Option<Self> {
        let mut tokens = subject.strip_prefix("wasmbus.back.")?.split('.');
        let (lattice, writer, reader) =
            (read_id(tokens.next()?)?, read_id(tokens.next()?)?, read_id(tokens.next()?)?);
        let (connection, call) = (read_number(tokens.next()?)?, read_number(tokens.next()?)?);
        tokens.next().is_none().then_some(Self { lattice, writer, reader, connection, call })
    }
}

impl fmt::Display for BackSubject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lattice, writer, reader, connection, call } = self;
        write!(f, "wasmbus.back.{lattice}.{writer}.{reader}.{connection:016x}.{call:016x}")
    }
}

fn read_id(token: &str) -> Option<&str> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    (!token.is_empty() && token.len() <= 128 && token.bytes().all(legal)).then_some(token)
}

/// One way to write a number, so that one place has one name.
fn read_number(token: &str) -> Option<u64> {
    let legal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if token.len() != 16 || !token.bytes().all(legal) {
        return None;
    }
    u64::from_str_radix(token, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> EntityId {
        EntityId::new(text).unwrap()
    }

    fn host() -> HostId {
        HostId::new(format!("N{}", "B".repeat(55))).unwrap()
    }

    fn subject(to: CallTo, interface: &str, function: &str) -> CallSubject {
        let (interface, function) = (interface.into(), function.into());
        let (source, target) = (id("greeter"), id("translator"));
        CallSubject { lattice: LatticeName::default(), source, to, target, interface, function }
    }

    #[test]
    fn subjects_as_they_stand_on_the_wire() {
        let lattice = LatticeName::default();
        let back = BackSubject {
            lattice: "default",
            writer: "translator",
            reader: "greeter",
            connection: 0x1f,
            call: u64::MAX,
        };
        let (of_target, queue) = calls_of_target(&lattice, &id("translator"));
        let all = [
            subject(CallTo::Anyone, "demo:text/translate", "translate").to_string(),
            subject(CallTo::Host(host()), "demo:text/translate@0.1.0", "[method]book.page").to_string(),
            subject(CallTo::Anyone, "", "run").to_string(),
            format!("{of_target} {queue}"),
            calls_of_host(&lattice, &host()),
            back_subscription(&lattice, &id("greeter"), 0x1f),
            back.to_string(),
        ];
        insta::assert_snapshot!(all.join("\n").replace(host().as_str(), "{host}"), @r"
        wasmbus.call.default.greeter.translator.demo:text/translate.translate
        wasmbus.host.default.greeter.{host}.translator.demo:text/translate@0=2E1=2E0.[method]book=2Epage
        wasmbus.call.default.greeter.translator.=.run
        wasmbus.call.default.*.translator.> translator
        wasmbus.host.default.*.{host}.>
        wasmbus.back.default.*.greeter.000000000000001f.*
        wasmbus.back.default.translator.greeter.000000000000001f.ffffffffffffffff
        ");
    }

    #[test]
    fn what_is_no_such_subject_is_refused() {
        let good = subject(CallTo::Anyone, "a:b/c", "d").to_string();
        for bad in [
            "",
            "wasmbus",
            "wasmbus.call.default.a.b.c",
            "wasmbus.ctl.default.a.b.c.d",
            "other.call.default.a.b.c.d",
            "wasmbus.call.default.a.b..d",
            "wasmbus.call.default.a.b.=0.d",
            "wasmbus.host.default.a.nohost.b.c.d",
            &format!("{good}.e"),
        ] {
            assert!(CallSubject::parse(bad).is_err(), "{bad}");
        }
        let number = "0123456789abcdef";
        assert!(BackSubject::parse(&format!("wasmbus.back.default.a.b.{number}.{number}")).is_some());
        for bad in [
            format!("wasmbus.back.default.a.b.{number}"),
            format!("wasmbus.back.default.a.b.{number}.{number}.c"),
            format!("wasmbus.back.default.*.b.{number}.{number}"),
            format!("wasmbus.back.default.a.>.{number}.{number}"),
            format!("wasmbus.back.default.a..{number}.{number}"),
            format!("wasmbus.back.default.a.b.{number}.{}", number.to_uppercase()),
            format!("wasmbus.back.default.a.b.{number}.+123456789abcdef"),
        ] {
            assert_eq!(BackSubject::parse(&bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_call_reads_back(
            source in "[A-Za-z0-9_-]{1,128}",
            target in "[A-Za-z0-9_-]{1,128}",
            to_host in any::<bool>(),
            interface in ".{0,40}",
            function in ".{0,40}",
        ) {
            let to = if to_host { CallTo::Host(host()) } else { CallTo::Anyone };
            let (lattice, source, target) = (LatticeName::default(), id(&source), id(&target));
            let (interface, function) = (interface.into(), function.into());
            let call = CallSubject { lattice, source, to, target, interface, function };
            prop_assert_eq!(CallSubject::parse(&call.to_string()), Ok(call));
        }

        #[test]
        fn every_place_to_come_back_to_reads_back(
            writer in "[A-Za-z0-9_-]{1,128}",
            reader in "[A-Za-z0-9_-]{1,128}",
            connection in any::<u64>(),
            call in any::<u64>(),
        ) {
            let back = BackSubject { lattice: "default", writer: &writer, reader: &reader, connection, call };
            let subject = back.to_string();
            prop_assert_eq!(BackSubject::parse(&subject), Some(back));
        }

        #[test]
        fn any_subject_is_read_or_refused(text in ".{0,120}") {
            let _ = CallSubject::parse(&text);
            let _ = CallSubject::parse(&format!("wasmbus.host.default.{text}"));
            let _ = BackSubject::parse(&format!("wasmbus.back.default.{text}"));
        }
    }
}
