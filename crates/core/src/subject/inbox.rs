//! Where answers may go.

use crate::LatticeName;

/// True for a subject on which somebody waits for an answer: an inbox of this lattice, NATS's own, or what a server puts in its place
/// when account or cluster are others.
///
/// Whoever asks chooses the reply subject, and whoever answers may write where the asker may not: a host to the lattice's state. So
/// nothing is ever answered anywhere else.
#[must_use]
pub fn is_inbox(lattice: &LatticeName, subject: &str) -> bool {
    // `_GR_.{cluster}.{server}.` before the asker's own subject: a server beyond a gateway sends the answer there.
    let subject = match subject.strip_prefix("_GR_.") {
        Some(beyond) => beyond.splitn(3, '.').nth(2).unwrap_or_default(),
        None => subject,
    };
    let own = || subject.strip_prefix("wasmbus.inbox.")?.strip_prefix(lattice.as_str())?.strip_prefix('.');
    subject.starts_with("_INBOX.") || subject.starts_with("_R_.") || own().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inboxes_and_nothing_else() {
        let lattice = LatticeName::default();
        for inbox in [
            "_INBOX.abc.1",
            "_R_.abc.1",
            "wasmbus.inbox.default.anna.1",
            "wasmbus.inbox.default.=user.anna.1",
            "_GR_.c1.s1._INBOX.abc.1",
            "_GR_.c1.s1.wasmbus.inbox.default.anna.1",
        ] {
            assert!(is_inbox(&lattice, inbox), "{inbox}");
        }
        for other in [
            "",
            "_INBOX",
            "$KV.LATTICE_default.trust.A",
            "$JS.API.STREAM.DELETE.KV_LATTICE_default",
            "wasmbus.inbox.shop.anna.1",
            "wasmbus.inbox.defaults.anna.1",
            "wasmbus.inbox.default",
            "wasmbus.ctl.v1.default.host.stop.N",
            "wasmbus.evt.default.host_stopped",
            "wasmbus.back.default.web.N.0000000000000001.0000000000000002",
            "_GR_.c1.s1.$KV.LATTICE_default.trust.A",
            "_GR_.c1",
        ] {
            assert!(!is_inbox(&lattice, other), "{other}");
        }
    }
}
