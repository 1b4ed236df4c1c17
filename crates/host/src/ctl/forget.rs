//! `host.forget`, ours: a host that is lost and will not come back is forgotten.

use lattice_control_interface::ForgetHostCommand;
use lattice_core::HostId;
use tracing::info;

use super::{
    Ctl,
    reply::{Outcome, read, said},
};
use crate::presence::Standing;

impl Ctl {
    /// Takes the fact of a lost host away. A host that comes back all the same writes it anew.
    pub(super) async fn host_forget(&self, body: &[u8]) -> Outcome {
        let ForgetHostCommand { host_id } = read("host forget", body)?;
        self.lattice.wait_current().await;
        let view = self.lattice.view();
        let name = view.hosts.get(&host_id).map(|told| told.name.as_str());
        let standing = match host_id == self.about.id {
            true => Some(Standing::Alive),
            false => self.inventory.directory.standing(&host_id),
        };
        let name = may_forget(&host_id, name, standing)?;
        self.lattice.forget_host(&host_id).await.map_err(|error| error.to_string())?;
        info!(host = %host_id, name, "a lost host is forgotten, as asked by a control command");
        said(format!("host {host_id} ({name}) is forgotten; if it comes back, it is known again"))
    }
}

/// The name of a host that may be forgotten; else why it may not.
fn may_forget<'a>(
    host: &HostId,
    name: Option<&'a str>,
    standing: Option<Standing>,
) -> Result<&'a str, String> {
    let Some(name) = name else {
        return Err(format!("no host {host} is known in this lattice; `wash get hosts` shows which are"));
    };
    match standing {
        Some(Standing::Lost | Standing::Gone) => Ok(name),
        Some(Standing::Alive) => Err(format!(
            "host {host} ({name}) lives, and only a lost host is forgotten; stop it: wash stop host {host}"
        )),
        Some(Standing::Unheard) | None => Err(format!(
            "host {host} ({name}) has not been heard yet, and is being asked whether it lives; try again in some seconds"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_forgotten_and_who_is_not() {
        let host = HostId::new(format!("N{}", "A".repeat(55))).unwrap();
        let may = |name, standing| may_forget(&host, name, standing);
        assert_eq!(may(Some("old"), Some(Standing::Lost)), Ok("old"));
        assert_eq!(may(Some("old"), Some(Standing::Gone)), Ok("old"), "its fact was left behind");
        for (name, standing, says) in [
            (None, Some(Standing::Lost), "no host N"),
            (Some("old"), Some(Standing::Alive), "wash stop host N"),
            (Some("old"), Some(Standing::Unheard), "try again"),
            (Some("old"), None, "try again"),
        ] {
            let why = may(name, standing).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
    }
}
