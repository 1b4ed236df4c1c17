//! Whose connection the same things are tried with: people who are told apart by their credentials alone.

use lattice_core::{
    BackSubject,
    permission::{Lane, Role, TABLE, subject_matches},
};
use lattice_nats::Connection;

use super::Scene;

/// Somebody with a connection of his own.
pub(crate) trait Seat: 'static {
    /// His role.
    const ROLE: Role;
    /// What stands in his subjects.
    const ME: &'static str;

    /// His connection. In a lattice without credentials it is like any other.
    fn connection(scene: &Scene) -> Connection;

    /// A subject that he may publish to: what is his own is passed on.
    fn own_subject(scene: &Scene) -> String;

    /// Whether his role may publish to, or subscribe to, all that `subject` covers.
    fn may(lane: Lane, subject: &str) -> bool {
        let rows = TABLE.iter().filter(|row| row.role == Self::ROLE && row.lane == lane);
        let own = |row: &str| row.replace("{lattice}", "default").replace("{me}", Self::ME);
        rows.map(|row| own(row.subject)).any(|pattern| subject_matches(&pattern, subject))
    }
}

/// In a provider's process.
pub(crate) struct Mole;

impl Seat for Mole {
    const ROLE: Role = Role::Provider;
    const ME: &'static str = "mole";

    fn connection(scene: &Scene) -> Connection {
        scene.provider()
    }

    fn own_subject(scene: &Scene) -> String {
        let (writer, reader) = (Self::ME, scene.host.as_str());
        BackSubject { lattice: "default", writer, reader, connection: 1, call: 2 }.to_string()
    }
}

/// Somebody who may look.
pub(crate) struct Vera;

impl Seat for Vera {
    const ROLE: Role = Role::Viewer;
    const ME: &'static str = "vera";

    fn connection(scene: &Scene) -> Connection {
        scene.people.viewer.clone()
    }

    fn own_subject(_: &Scene) -> String {
        "wasmbus.inbox.default.=user.vera.x.1".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_the_own_role_is_told_from_what_is_of_others() {
        assert!(Vera::may(Lane::Publish, "wasmbus.ctl.v1.default.host.ping"));
        assert!(Vera::may(Lane::Subscribe, "wasmbus.evt.default.*"));
        assert!(Mole::may(Lane::Publish, "wasmbus.call.default.mole.hello.x.y"));
        for subject in ["wasmbus.ctl.v1.default.host.stop.N", "wasmbus.evt.default.x", "$KV.x"] {
            assert!(!Vera::may(Lane::Publish, subject) && !Mole::may(Lane::Publish, subject), "{subject}");
        }
        assert!(!Mole::may(Lane::Subscribe, "wasmbus.call.default.>"));
        assert!(!Vera::may(Lane::Subscribe, "wasmbus.inbox.>"));
    }
}
