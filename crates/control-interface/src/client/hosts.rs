//! Asking for and of hosts.

use std::time::Duration;

use lattice_core::{CtlVerb, EventName, HostId};
use lattice_nats::EventStream;

use super::{Client, Collect, EMPTY};
use crate::{ClaimsMap, ControlError, ForgetHostCommand, Host, HostInventory, HostLabel, StopHostCommand};

impl Client {
    /// All hosts of the lattice that answer in time; none is an empty list, not an error.
    ///
    /// # Errors
    /// [`ControlError::Connection`] without NATS.
    pub async fn get_hosts(&self, collect: Collect) -> Result<Vec<Host>, ControlError> {
        let mut hosts: Vec<Host> = self.collect(CtlVerb::HostPing, EMPTY, collect).await?;
        hosts.sort_by(|a, b| a.id.cmp(&b.id));
        hosts.dedup_by(|a, b| a.id == b.id);
        Ok(hosts)
    }

    /// What runs on `host`.
    ///
    /// # Errors
    /// [`ControlError::NoSuchHost`] if it is not there.
    pub async fn get_host_inventory(&self, host: &HostId) -> Result<HostInventory, ControlError> {
        self.fetch(CtlVerb::HostGet(host.clone()), Some(host), EMPTY).await
    }

    /// Stops `host`, which may take `grace` to finish its calls; what it says before it does.
    ///
    /// # Errors
    /// [`ControlError::NoSuchHost`] if it is not there.
    pub async fn stop_host(&self, host: &HostId, grace: Option<Duration>) -> Result<String, ControlError> {
        let timeout = grace.map(|grace| u64::try_from(grace.as_millis()).unwrap_or(u64::MAX));
        let body = StopHostCommand { host_id: host.to_string(), timeout };
        self.order(CtlVerb::HostStop(host.clone()), Some(host), Some(&body)).await
    }

    /// Stops `host` and waits at most `deadline` until it says that it has.
    ///
    /// # Errors
    /// As [`Client::stop_host`]; [`ControlError::NoOutcome`] if it does not stop in time.
    pub async fn stop_host_and_wait(
        &self,
        host: &HostId,
        grace: Option<Duration>,
        deadline: Duration,
    ) -> Result<(), ControlError> {
        let mut events =
            EventStream::subscribe(self.connection(), self.lattice(), &[EventName::HostStopped]).await?;
        self.stop_host(host, grace).await?;
        let stopped = events.wait_for(deadline, |event| (event.source == host.as_str()).then_some(())).await;
        stopped.map_err(|_| ControlError::NoOutcome {
            what: "the stop".to_owned(),
            host: host.clone(),
            after: deadline,
        })
    }

    /// Ours: takes away what the lattice knows of `host`, which is lost; what the host that did so says.
    ///
    /// # Errors
    /// [`ControlError::Refused`] if it lives, or nobody knows it; [`ControlError::NoHosts`] without a host of our kind.
    pub async fn forget_host(&self, host: &HostId) -> Result<String, ControlError> {
        let body = ForgetHostCommand { host_id: host.clone() };
        self.order(CtlVerb::HostForget, None, Some(&body)).await
    }

    /// Sets a label of `host`.
    ///
    /// # Errors
    /// [`ControlError::Refused`] for `hostcore.*`.
    pub async fn put_label(&self, host: &HostId, label: &HostLabel) -> Result<String, ControlError> {
        self.order(CtlVerb::LabelPut(host.clone()), Some(host), Some(label)).await
    }

    /// Removes a label of `host`.
    ///
    /// # Errors
    /// [`ControlError::Refused`] for `hostcore.*`.
    pub async fn delete_label(&self, host: &HostId, key: &str) -> Result<String, ControlError> {
        let body = HostLabel { key: key.to_owned(), value: String::new() };
        self.order(CtlVerb::LabelDel(host.clone()), Some(host), Some(&body)).await
    }

    /// The claims of everything that was started in the lattice.
    ///
    /// # Errors
    /// [`ControlError::NoHosts`] if no host is there.
    pub async fn get_claims(&self) -> Result<Vec<ClaimsMap>, ControlError> {
        self.fetch(CtlVerb::ClaimsGet, None, EMPTY).await
    }
}
