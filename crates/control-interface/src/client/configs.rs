//! Named configurations of the lattice; whichever host takes the request acts for all.

use lattice_core::{ConfigName, CtlVerb};

use super::{Client, EMPTY};
use crate::{ConfigMap, ControlError};

impl Client {
    /// Writes a configuration.
    ///
    /// # Errors
    /// [`ControlError::NoHosts`] if no host is there.
    pub async fn put_config(&self, name: &ConfigName, values: &ConfigMap) -> Result<String, ControlError> {
        self.order(CtlVerb::ConfigPut(name.clone()), None, Some(values)).await
    }

    /// A configuration; none if there is none of that name.
    ///
    /// # Errors
    /// [`ControlError::NoHosts`] if no host is there.
    pub async fn get_config(&self, name: &ConfigName) -> Result<Option<ConfigMap>, ControlError> {
        Ok(self.ask(CtlVerb::ConfigGet(name.clone()), None, EMPTY).await?.response)
    }

    /// Deletes a configuration; one that is not there is no error.
    ///
    /// # Errors
    /// [`ControlError::NoHosts`] if no host is there.
    pub async fn delete_config(&self, name: &ConfigName) -> Result<String, ControlError> {
        self.order(CtlVerb::ConfigDel(name.clone()), None, EMPTY).await
    }
}
