//! Whose signatures count in the lattice; whichever host takes the request acts for all.

use lattice_core::CtlVerb;

use super::{Client, EMPTY};
use crate::{ControlError, DeleteTrustCommand, PutTrustCommand, TrustChange, TrustEntry};

impl Client {
    /// Says that signatures of a key count; what changed by that.
    ///
    /// # Errors
    /// [`ControlError::Refused`] if it is no key of an account.
    pub async fn put_trust(&self, command: &PutTrustCommand) -> Result<TrustChange, ControlError> {
        self.fetch(CtlVerb::TrustPut, None, Some(command)).await
    }

    /// Says that signatures of a key count no more; what changed by that.
    ///
    /// # Errors
    /// [`ControlError::Refused`] if it is no key of an account.
    pub async fn delete_trust(&self, command: &DeleteTrustCommand) -> Result<TrustChange, ControlError> {
        self.fetch(CtlVerb::TrustDel, None, Some(command)).await
    }

    /// What the lattice says of keys. What the flags of hosts say stands in their inventories.
    ///
    /// # Errors
    /// [`ControlError::NoHosts`] if no host is there.
    pub async fn get_trust(&self) -> Result<Vec<TrustEntry>, ControlError> {
        self.fetch(CtlVerb::TrustGet, None, EMPTY).await
    }
}
