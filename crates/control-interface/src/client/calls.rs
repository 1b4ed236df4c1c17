//! Calling an actor's function by hand.

use std::time::Duration;

use lattice_core::{CtlVerb, HostId};

use super::{Client, refused};
use crate::{CallComponentCommand, CallComponentReply, ControlError};

impl Client {
    /// Asks `host` to call a function of an actor that runs there, and waits for what it returns: for as long as the call may
    /// take, and then for this client's time limit. A call that was made and failed is no error here: the reply's `error`
    /// says how.
    ///
    /// # Errors
    /// [`ControlError::NoSuchHost`]; [`ControlError::Refused`] where the request was not even understood, as by a host that
    /// does not know it.
    pub async fn call_component(
        &self,
        host: &HostId,
        command: &CallComponentCommand,
    ) -> Result<CallComponentReply, ControlError> {
        let verb = CtlVerb::ComponentCall(host.clone());
        let what = self.subject(verb.clone()).1;
        let call = Duration::from_millis(command.timeout_ms.unwrap_or(0));
        let patient = self.with_timeout(self.timeout.saturating_add(call));
        let answer = patient.exchange(verb, Some(host), Some(command)).await?;
        answer.response.ok_or_else(|| refused(&what, answer.code, answer.message))
    }
}
