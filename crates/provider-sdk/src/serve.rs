//! Calls of actors, from any host: admitted, checked against the links of this process, carried out.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lattice_contracts::{Asker, CallContext, Provider, Refused, Report as _};
use lattice_core::{CallError, Contract, ErrorCode, Hop, LinkKey, ProviderId};
use lattice_nats::{
    Outbound, Received, Serve,
    remote::{Function, http::outgoing, keyvalue},
};
use tokio::{sync::Semaphore, time::Instant};

use crate::links::Links;

/// Calls that are served at once; further ones are refused, and were not run.
const CALLS_MAX: usize = 1024;
/// How long a link that the caller's host knows may take to get here.
const LINK_WITHIN: Duration = Duration::from_millis(250);

/// Carries out what others call on the provider.
pub(crate) struct Server {
    pub(crate) id: ProviderId,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) links: Arc<Links>,
    permits: Semaphore,
}

impl Server {
    pub(crate) fn new(id: ProviderId, provider: Arc<dyn Provider>, links: Arc<Links>) -> Self {
        Self { id, provider, links, permits: Semaphore::new(CALLS_MAX) }
    }

    fn refused(&self, code: ErrorCode, reason: String) -> CallError {
        CallError::new(Hop::Provider(self.id.clone()), code, reason).not_run()
    }

    /// Lets the host hear who called without a right.
    fn tell(&self, request: &Received, error: &CallError) {
        self.links.refused(Refused {
            asker: Asker::Caller(request.call.source.clone()),
            count: 1,
            code: error.code,
            interface: request.interface.to_string(),
            reason: error.reason.clone(),
        });
    }

    /// No link, no call. A link that is on its way is waited for a moment.
    async fn check(&self, call: &CallContext, interface: &str) -> Result<(), CallError> {
        let (source, id) = (&call.source, &self.id);
        let parts = interface.split_once('/').and_then(|(package, name)| {
            Some((package.parse::<Contract>().ok()?, name.split('@').next().unwrap_or(name)))
        });
        let Some((contract, name)) = parts else {
            let reason = format!("{source} called {interface:?} of {id}, which is no interface of a package");
            return Err(self.refused(ErrorCode::NoLink, reason));
        };
        let (target, link) = (call.target.clone(), call.link.clone());
        let key = LinkKey { source: source.clone(), target, contract, name: link };
        match self.granted(&key, name).await {
            Some(true) => Ok(()),
            Some(false) => {
                let reason = format!("the link of {source} to {id} does not grant {}/{name}", key.contract);
                Err(self.refused(ErrorCode::Denied, reason))
            }
            None => {
                let reason = format!(
                    "{source} has no link to {id} for {contract}; make one: wash link put {source} {id} {contract}",
                    contract = key.contract
                );
                Err(self.refused(ErrorCode::NoLink, reason))
            }
        }
    }

    async fn granted(&self, key: &LinkKey, interface: &str) -> Option<bool> {
        let mut changed = self.links.listen();
        let until = Instant::now() + LINK_WITHIN;
        loop {
            changed.borrow_and_update();
            let granted = self.links.grants(key, interface);
            if granted.is_some() || tokio::time::timeout_at(until, changed.changed()).await.is_err() {
                return granted;
            }
        }
    }
}

#[async_trait]
impl Serve for Server {
    async fn serve(&self, request: Box<Received>) -> Result<Outbound, CallError> {
        let Ok(_permit) = self.permits.try_acquire() else {
            let reason = format!("{} serves {CALLS_MAX} calls already", self.id);
            return Err(self.refused(ErrorCode::Overloaded, reason));
        };
        if request.text {
            let reason = "calls with arguments as text are made through the control subject component.call";
            return Err(self.refused(ErrorCode::Protocol, reason.to_owned()));
        }
        if let Err(error) = self.check(&request.call, &request.interface).await {
            self.tell(&request, &error);
            return Err(error);
        }
        let Received { call, interface, function, body, .. } = *request;
        let hop = Hop::Provider(self.id.clone());
        let unserved =
            || self.refused(ErrorCode::Unreachable, format!("{} does not serve {interface}", self.id));
        if interface.starts_with("wasi:keyvalue/") {
            let store = self.provider.keyvalue().ok_or_else(unserved)?;
            let function = Function { interface: &interface, function: &function };
            return keyvalue::serve(&*store, &call, function, body).await;
        }
        if (&*interface, &*function) == (outgoing::INTERFACE, outgoing::FUNCTION) {
            let client = self.provider.http_outgoing().ok_or_else(unserved)?;
            let (request, limits) = outgoing::request(body, hop.clone()).await?;
            return outgoing::reply(client.request(call, request, limits).await, hop).await;
        }
        Err(unserved())
    }
}
