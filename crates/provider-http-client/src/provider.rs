//! The provider: a client for each link, found by who calls under which link.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use lattice_contracts::{
    Asker, CallContext, LinkTable, Provider, ProviderContext, ProviderLink, Refused, Serves,
    config::{ConfigError, check_keys},
    http::{Outgoing, OutgoingError, OutgoingLimits, Request, Response},
};
use lattice_core::{CallError, Contract, Direction, EntityId, ErrorCode, Hop, LinkKey, State};
use tokio::time::Instant;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    client::{Tracked, build},
    config::LinkConfig,
    resolve::{Resolve, System},
    secret_headers::SecretHeaders,
    send::Sender,
};

const INTERFACE: &str = "outgoing-handler";
const SERVES: &[Serves] =
    &[Serves { namespace: "wasi", package: "http", interface: INTERFACE, direction: Direction::ToProvider }];

/// The HTTP client provider. Dropping it closes its connections.
pub struct HttpClient {
    inner: Arc<Inner>,
    _life: DropGuard,
}

struct Inner {
    ctx: ProviderContext,
    resolver: Arc<dyn Resolve>,
    life: CancellationToken,
    /// Requests and bodies under way.
    under_way: TaskTracker,
    links: LinkTable<Sender>,
}

impl HttpClient {
    /// Makes the provider, with the resolver of the system.
    ///
    /// # Errors
    /// [`ConfigError`] for any configuration of the provider's own: all of it belongs to links.
    pub fn new(ctx: ProviderContext) -> Result<Arc<Self>, ConfigError> {
        Self::with_resolver(ctx, Arc::new(System))
    }

    /// Makes the provider with another resolver. What it answers is judged all the same.
    ///
    /// # Errors
    /// As [`HttpClient::new`].
    pub fn with_resolver(ctx: ProviderContext, resolver: Arc<dyn Resolve>) -> Result<Arc<Self>, ConfigError> {
        check_keys(&ctx.config, &[])?;
        let life = ctx.cancel.child_token();
        let (under_way, links) = (TaskTracker::new(), LinkTable::new(&ctx, Contract::http()));
        let inner = Inner { ctx, resolver, life: life.clone(), under_way, links };
        Ok(Arc::new(Self { inner: Arc::new(inner), _life: life.drop_guard() }))
    }
}

#[async_trait]
impl Provider for HttpClient {
    fn serves(&self) -> Cow<'static, [Serves]> {
        Cow::Borrowed(SERVES)
    }

    fn takes_secrets(&self) -> bool {
        true
    }

    async fn put_link(&self, link: ProviderLink) {
        let links = &self.inner.links;
        let (sender, state) = match self.inner.sender(&link).await {
            Ok(sender) => (Some(Arc::new(sender)), State::Ready),
            Err(why) => (None, State::Failed(why)),
        };
        // One that was replaced ends when the calls that found it have.
        let _ = links.put(&link.key, sender.clone());
        links.tell(&link.key, sender.as_ref(), state);
    }

    async fn delete_link(&self, link: &LinkKey) {
        self.inner.links.forget(link);
    }

    async fn stop(&self, deadline: Instant) {
        self.inner.links.stop();
        self.inner.under_way.close();
        let ended = tokio::time::timeout_at(deadline, self.inner.under_way.wait()).await;
        tracing::debug!(in_time = ended.is_ok(), "outgoing requests have ended");
        self.inner.life.cancel();
    }

    fn http_outgoing(&self) -> Option<Arc<dyn Outgoing>> {
        Some(self.inner.clone())
    }
}

#[async_trait]
impl Outgoing for Inner {
    async fn request(
        &self,
        call: CallContext,
        request: Request,
        limits: OutgoingLimits,
    ) -> Result<Response, OutgoingError> {
        // Counted before the look-up, so that nothing slips through between it and the end.
        let counted = self.under_way.token();
        let sender = self.links.find(&call, Arc::clone)?;
        let caller = call.source.clone();
        let response = tokio::select! {
            response = sender.send(call, request, limits, counted) => response,
            () = self.life.cancelled() => Err(self.refused(ErrorCode::Unreachable, "the provider stopped").into()),
        };
        if let Err(error @ OutgoingError::Denied { .. }) = &response {
            self.tell_denied(caller, error);
        }
        response
    }
}

impl Inner {
    fn hop(&self) -> Hop {
        Hop::Provider(self.ctx.id.clone())
    }

    /// Lets an operator see who tries to reach what its link does not allow.
    fn tell_denied(&self, caller: EntityId, error: &OutgoingError) {
        self.ctx.report.refused(Refused {
            asker: Asker::Caller(caller),
            count: 1,
            code: ErrorCode::Denied,
            interface: format!("{}/{INTERFACE}", Contract::http()),
            reason: error.to_string(),
        });
    }

    fn refused(&self, code: ErrorCode, reason: impl Into<String>) -> CallError {
        CallError::new(self.hop(), code, reason)
    }

    /// What serves a link, or why it cannot be served.
    async fn sender(&self, link: &ProviderLink) -> Result<Sender, String> {
        self.links.accepts(link, "an HTTP client")?;
        if !(link.interfaces.is_empty() || link.interfaces.iter().any(|name| name == INTERFACE)) {
            return Err(format!("the link does not grant {INTERFACE}; name it, or no interface at all"));
        }
        let config = LinkConfig::read(&link.config).map_err(|error| error.to_string())?;
        let (templates, plain) = (&config.secret_headers, config.secret_headers_plain);
        let secrets = SecretHeaders::fill(templates, &link.secrets, plain)?;
        let tracked = Tracked { tasks: self.ctx.tasks.clone(), life: self.life.clone() };
        let client = build(&config, self.resolver.clone(), tracked).await?;
        Ok(Sender { config, client, secrets, hop: self.hop() })
    }
}
