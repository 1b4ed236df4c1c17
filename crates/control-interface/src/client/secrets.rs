//! Secrets of the lattice; whichever host takes the request acts for all.

use lattice_core::CtlVerb;

use super::{Client, EMPTY};
use crate::{ControlError, DeleteSecretCommand, PutSecretCommand, SecretChange, SecretEntry};

impl Client {
    /// Writes a secret, which has been sealed to the hosts that are to have it; what changed by that.
    ///
    /// # Errors
    /// [`ControlError::Refused`] if it is sealed to nobody, or to the host that takes it in a way that this cannot open.
    pub async fn put_secret(&self, command: &PutSecretCommand) -> Result<SecretChange, ControlError> {
        self.fetch(CtlVerb::SecretPut, None, Some(command)).await
    }

    /// Deletes a secret, and with it every box; what changed by that. One that is not there is no error.
    ///
    /// # Errors
    /// [`ControlError::NoHosts`] if no host is there.
    pub async fn delete_secret(&self, command: &DeleteSecretCommand) -> Result<SecretChange, ControlError> {
        self.fetch(CtlVerb::SecretDel, None, Some(command)).await
    }

    /// Which secrets there are, and which hosts have them.
    ///
    /// # Errors
    /// [`ControlError::NoHosts`] if no host is there.
    pub async fn list_secrets(&self) -> Result<Vec<SecretEntry>, ControlError> {
        self.fetch(CtlVerb::SecretList, None, EMPTY).await
    }
}
