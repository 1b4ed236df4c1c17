//! `host.ping`, `host.get`, `host.stop`.

use std::time::Duration;

use lattice_control_interface::{Host, HostInventory, StopHostCommand};

use super::{
    Ctl,
    reply::{Answer, Outcome, read, said},
};

impl Ctl {
    pub(super) fn host_ping(&self) -> Outcome<Host> {
        Ok(Answer::Data(self.inventory.host()))
    }

    pub(super) fn host_get(&self) -> Outcome<HostInventory> {
        Ok(Answer::Data(self.inventory.full()))
    }

    /// The answer goes out first; then the host stops in order.
    pub(super) fn host_stop(&self, body: &[u8]) -> Outcome {
        let command: StopHostCommand = read("host stop", body)?;
        self.is_for_us(&command.host_id)?;
        // v1 hosts read milliseconds, whatever the type's documentation says.
        self.stop.ask("asked by a control command", command.timeout.map(Duration::from_millis));
        said("successfully handled stop host")
    }

    /// Commands may repeat the host in their body; one that names another was sent to the wrong subject.
    pub(super) fn is_for_us(&self, host_id: &str) -> Result<(), String> {
        if host_id.is_empty() || host_id == self.about.id.as_str() {
            return Ok(());
        }
        Err(format!("invalid host_id [{host_id}]; this is {}", self.about.id))
    }
}
