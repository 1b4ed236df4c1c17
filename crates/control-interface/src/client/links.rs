//! Links of the lattice; whichever host takes the request acts for all.

use lattice_core::{CtlVerb, Link};

use super::{Client, EMPTY};
use crate::{ControlError, DeleteLinkCommand};

impl Client {
    /// Writes a link.
    ///
    /// # Errors
    /// [`ControlError::Refused`] if it contradicts another one or names a configuration that is not there.
    pub async fn put_link(&self, link: &Link) -> Result<String, ControlError> {
        self.order(CtlVerb::LinkPut, None, Some(link)).await
    }

    /// Deletes a link; one that is not there is no error.
    ///
    /// # Errors
    /// [`ControlError::NoHosts`] if no host is there.
    pub async fn delete_link(&self, command: &DeleteLinkCommand) -> Result<String, ControlError> {
        self.order(CtlVerb::LinkDel, None, Some(command)).await
    }

    /// All links.
    ///
    /// # Errors
    /// [`ControlError::NoHosts`] if no host is there.
    pub async fn get_links(&self) -> Result<Vec<Link>, ControlError> {
        self.fetch(CtlVerb::LinkGet, None, EMPTY).await
    }
}
