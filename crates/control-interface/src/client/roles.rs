//! Who may command what in the lattice; whichever host takes the request acts for all.

use lattice_core::CtlVerb;

use super::{Client, EMPTY};
use crate::{ControlError, DeleteRoleCommand, PutRoleCommand, RoleChange, RoleEntry};

impl Client {
    /// Says what a key may command; what changed by that.
    ///
    /// # Errors
    /// [`ControlError::NotAllowed`] if the request is not signed by an admin.
    pub async fn put_role(&self, command: &PutRoleCommand) -> Result<RoleChange, ControlError> {
        self.fetch(CtlVerb::RolePut, None, Some(command)).await
    }

    /// Takes back what the lattice says of a key; what changed by that.
    ///
    /// # Errors
    /// As [`Client::put_role`].
    pub async fn delete_role(&self, command: &DeleteRoleCommand) -> Result<RoleChange, ControlError> {
        self.fetch(CtlVerb::RoleDel, None, Some(command)).await
    }

    /// What the lattice says of keys. Admins that the flags of hosts name stand in their inventories.
    ///
    /// # Errors
    /// [`ControlError::NoHosts`] if no host is there.
    pub async fn get_roles(&self) -> Result<Vec<RoleEntry>, ControlError> {
        self.fetch(CtlVerb::RoleGet, None, EMPTY).await
    }
}
