//! Waiting for an outcome without being silent: a part that stands still has a reason, which the inventory tells.

use std::{
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lattice_control_interface::{ControlError, HostInventory};
use lattice_core::HostId;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    lattice::{Session, StateOf, failed},
    output::Output,
};

/// How often the inventory is read meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waited<'a> {
    pub(super) session: &'a Session,
    pub(super) host: &'a HostId,
    /// As `provider kv`.
    pub(super) what: &'a str,
}

impl Waited<'_> {
    /// Waits for `outcome`, and says meanwhile why there is none yet, once for each reason. `state` finds the part in the
    /// host's inventory.
    ///
    /// # Errors
    /// As `outcome`; where none came in time, with the reason.
    pub(super) async fn outcome<T>(
        self,
        out: &Output,
        state: impl Fn(&HostInventory) -> Option<StateOf>,
        outcome: impl Future<Output = Result<T, ControlError>>,
    ) -> Outcome<T> {
        let last = Mutex::new(None);
        let ended = tokio::select! {
            biased;
            ended = outcome => ended,
            never = self.tell(out, state, &last) => match never {},
        };
        let last = last.into_inner().unwrap_or_else(PoisonError::into_inner);
        ended.map_err(|error| explained(self.what, self.host, error, last))
    }

    /// Says every new reason for standing still. Never ends.
    async fn tell(
        self,
        out: &Output,
        state: impl Fn(&HostInventory) -> Option<StateOf>,
        last: &Mutex<Option<StateOf>>,
    ) -> Infallible {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // Whoever does not answer now is asked again; the outcome has its own limit.
            let Ok(inventory) = self.session.client.get_host_inventory(self.host).await else { continue };
            let now = state(&inventory).filter(|state| state.state == "pending");
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(state) = now.as_ref().filter(|state| last.as_ref() != Some(*state)) {
                out.note(format!("{} is {}; still waiting", self.what, state.text()));
            }
            *last = now;
        }
    }
}

/// Time is up: with the reason, where one is known.
fn explained(what: &str, host: &HostId, error: ControlError, last: Option<StateOf>) -> Failure {
    match (error, last) {
        (ControlError::NoOutcome { after, .. }, Some(state)) => {
            let text = format!("{what} on host {host} is, after {after:?}, still {}", state.text());
            Failure::say(Exit::Refused, text)
                .help("it goes on by itself once that is mended; `wash get inventory` shows its state")
        }
        (error, _) => failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_time_is_up_the_reason_is_told() {
        let host = HostId::new(format!("N{}", "A".repeat(55))).unwrap();
        let error = || ControlError::NoOutcome {
            what: "kv".to_owned(),
            host: host.clone(),
            after: Duration::from_secs(60),
        };
        let pending = StateOf::new(Some("pending"), Some("config nosuch does not exist"));
        let said = |last| {
            let json = explained("provider kv", &host, error(), last).json();
            json["error"].as_str().unwrap().to_owned()
        };
        let text = said(Some(pending));
        assert!(text.contains("after 60s, still pending: config nosuch does not exist"), "{text}");
        assert!(said(None).contains("neither succeeded nor failed"));
    }
}
