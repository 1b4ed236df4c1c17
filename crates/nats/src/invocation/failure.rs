//! Why a call ended without its reply, and the typed error that says so.

use std::time::Duration;

use lattice_core::{ActorId, CallError, EntityId, ErrorCode, Hop, HostId, ProviderId};

use super::window::Breach;

/// Longest reason that travels, in bytes.
pub(crate) const REASON_MAX: usize = 4096;

/// What ended a call. Cheap to make; text is made of it only where somebody reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The other side says so, or whoever makes the streams.
    Told(CallError),
    /// The pieces do not fit together.
    Pieces(Breach),
    /// Nothing came for too long.
    Silent(Duration),
    /// Time ran out.
    Deadline,
    /// The caller gave up.
    Cancelled,
    /// The broker refuses the subject.
    Denied {
        /// Which one.
        subject: String,
        /// The request itself, so that nothing was run.
        request: bool,
    },
    /// Nobody listens on the call's subject.
    NoResponders,
    /// There is no connection; nothing was sent.
    Disconnected,
    /// The socket took nothing for too long.
    Stuck(Duration),
    /// The client refuses to send.
    Unsendable(String),
    /// The broker takes so little that not even the header fits.
    NoRoom(usize),
    /// Too many calls at once.
    TooMany(usize),
    /// The call waited while this process was frozen.
    Stale,
    /// Calls stand too deep above each other.
    TooDeep(u8),
    /// The message makes no sense.
    Malformed(String),
    /// Whoever serves calls panicked.
    Broke,
    /// The connection's owner stops.
    Stopped,
}

impl Failure {
    /// The error, as `here` says it of a call to `target`.
    pub(crate) fn into_error(self, here: &Hop, target: &EntityId) -> CallError {
        use ErrorCode as Code;
        let say = |code, reason: String| CallError::new(here.clone(), code, reason);
        match self {
            Failure::Told(error) => error,
            Failure::Pieces(breach @ Breach::Gap { .. }) => {
                say(Code::Unreachable, format!("lost on the way to or from {target}: {breach}"))
            }
            Failure::Pieces(breach) => say(Code::Protocol, breach.to_string()),
            Failure::Silent(after) => say(
                Code::Unreachable,
                format!(
                    "nothing came from {target} for {after:?}: its process, host or NATS is gone or hangs"
                ),
            ),
            Failure::Deadline => say(Code::Deadline, format!("{target} did not answer in time")),
            Failure::Cancelled => say(Code::Cancelled, "the caller gave up".to_owned()),
            Failure::Denied { subject, request } => {
                let reason = format!("the NATS server does not allow this user to publish to {subject}");
                CallError { not_run: request, ..say(Code::Denied, reason) }
            }
            Failure::NoResponders => {
                let reason = format!(
                    "nobody serves {target}; is it started, and its host connected? `wash get inventory` shows what runs where"
                );
                say(Code::Unreachable, reason).not_run()
            }
            Failure::Disconnected => {
                let reason = "not connected to NATS; nothing was sent, try again when the connection is back";
                say(Code::Unreachable, reason.to_owned()).not_run()
            }
            Failure::Stuck(after) => {
                say(Code::Unreachable, format!("the connection to NATS took nothing for {after:?}"))
            }
            Failure::Unsendable(why) => say(Code::Protocol, format!("cannot be sent: {why}")).not_run(),
            Failure::NoRoom(max) => {
                let reason =
                    format!("the NATS server takes only {max} bytes (its `max_payload`), too few for a call");
                say(Code::TooLarge, reason).not_run()
            }
            Failure::TooMany(max) => say(Code::Overloaded, format!("{max} calls at once are all")).not_run(),
            Failure::Stale => {
                let reason = "stale: the call waited while this process was frozen, and was not run";
                say(Code::Unreachable, reason.to_owned()).not_run()
            }
            Failure::TooDeep(max) => {
                let reason = format!("calls nest deeper than {max}; is there a circle of links?");
                say(Code::Denied, reason).not_run()
            }
            Failure::Malformed(why) => say(Code::Protocol, why).not_run(),
            Failure::Broke => say(
                Code::Trap,
                "internal error: the host broke while it served the call; its log says more".to_owned(),
            ),
            Failure::Stopped => say(Code::Unreachable, "stopped while the call was being served".to_owned()),
        }
    }
}

/// Who speaks, as the wire writes it.
pub(crate) fn write_hop(hop: &Hop) -> String {
    match hop {
        Hop::Host(id) => format!("host:{id}"),
        Hop::Actor(id) => format!("actor:{id}"),
        Hop::Provider(id) => format!("provider:{id}"),
        // Hops of later versions of this very workspace; the type is open towards other crates.
        _ => String::new(),
    }
}

/// Reads who speaks; the target where that is missing or unknown.
pub(crate) fn read_hop(text: Option<&str>, target: &EntityId) -> Hop {
    let known = text.and_then(|text| {
        let (kind, id) = text.split_once(':')?;
        match kind {
            "host" => HostId::new(id).ok().map(Hop::Host),
            "actor" => ActorId::new(id).ok().map(Hop::Actor),
            "provider" => ProviderId::new(id).ok().map(Hop::Provider),
            _ => None,
        }
    });
    known.unwrap_or_else(|| Hop::Actor(target.clone().into()))
}

/// Who speaks for a connection: the host it belongs to, or the provider.
pub(crate) fn hop_of(owner: &EntityId) -> Hop {
    HostId::new(owner.as_str()).map_or_else(|_| Hop::Provider(owner.clone().into()), Hop::Host)
}

/// The reason of an error as it travels: cut where it is too long, also for the `room` that there is, in bytes.
pub(crate) fn cut_reason(reason: &str, room: usize) -> &str {
    &reason[..reason.floor_char_boundary(REASON_MAX.min(room))]
}

/// Reads an `error`'s code; an unknown one is `protocol`, and stands in the reason.
pub(crate) fn read_error(hop: Hop, code: Option<&str>, reason: &[u8], not_run: bool) -> CallError {
    let reason = String::from_utf8_lossy(reason);
    let reason = cut_reason(&reason, REASON_MAX);
    let known = code.and_then(ErrorCode::parse);
    let reason = match (known, code) {
        (None, Some(code)) => format!("{code}: {reason}"),
        _ => reason.to_owned(),
    };
    CallError { not_run, ..CallError::new(hop, known.unwrap_or(ErrorCode::Protocol), reason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_read_back() {
        let target = EntityId::new("t").unwrap();
        let host = HostId::new(format!("N{}", "A".repeat(55))).unwrap();
        for hop in [
            Hop::Host(host.clone()),
            Hop::Actor(ActorId::new("a").unwrap()),
            Hop::Provider(ProviderId::new("p").unwrap()),
        ] {
            assert_eq!(read_hop(Some(&write_hop(&hop)), &target), hop);
        }
        let target_speaks = Hop::Actor(target.clone().into());
        for unknown in [None, Some(""), Some("host:x"), Some("moon:x"), Some("actor")] {
            assert_eq!(read_hop(unknown, &target), target_speaks);
        }
        assert_eq!(hop_of(&EntityId::new(host.as_str()).unwrap()), Hop::Host(host));
    }

    #[test]
    fn errors_of_later_versions_read() {
        let hop = || Hop::Actor(ActorId::new("a").unwrap());
        let error = read_error(hop(), Some("tired"), b"sleeps", true);
        assert_eq!(
            (error.code, error.reason.as_str(), error.not_run),
            (ErrorCode::Protocol, "tired: sleeps", true)
        );
        let error = read_error(hop(), Some("trap"), b"\xff", false);
        assert_eq!((error.code, error.reason.as_str()), (ErrorCode::Trap, "\u{fffd}"));
        assert_eq!(read_error(hop(), None, &[b'a'; 10_000], false).reason.len(), REASON_MAX);
        assert_eq!(cut_reason(&"ä".repeat(3000), usize::MAX).len(), REASON_MAX);
        assert_eq!(cut_reason("ää", 3), "ä");
    }
}
