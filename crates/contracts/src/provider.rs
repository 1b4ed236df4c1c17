//! What a provider is to the host: the same trait whether it runs in the host's process or in one of its own.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use lattice_core::{ActorId, Direction, LinkKey, ProviderId, Secret, SecretName, State};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    InvocationIds, Refused,
    http::{Incoming, Outgoing},
    keyvalue::Keyvalue,
};

/// One interface a provider takes part in, and from which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serves {
    /// WIT namespace.
    pub namespace: &'static str,
    /// WIT package.
    pub package: &'static str,
    /// WIT interface.
    pub interface: &'static str,
    /// Who calls.
    pub direction: Direction,
}

/// Where a provider tells how it and its links are, and what it refused. Reporting never blocks. States may be repeated; the last word counts.
pub trait Report: Send + Sync {
    /// The provider as a whole.
    fn provider(&self, state: State);
    /// One of its links.
    fn link(&self, link: &LinkKey, state: State);
    /// What it refused by a rule since it told so last. Whoever hears it counts, and tells operators no more than so often.
    fn refused(&self, refused: Refused);
}

/// What the host gives a provider when it makes it.
#[derive(Clone)]
pub struct ProviderContext {
    /// The provider's id; the source of every call it makes.
    pub id: ProviderId,
    /// Configuration named when the provider was started.
    pub config: BTreeMap<String, String>,
    /// Where to tell states.
    pub report: Arc<dyn Report>,
    /// Where ids of calls come from.
    pub ids: Arc<InvocationIds>,
    /// Owner of every task the provider spawns; the host waits for them when it stops.
    pub tasks: TaskTracker,
    /// Cancelled when the provider shall end at once.
    pub cancel: CancellationToken,
}

/// What a provider calls over a link in which it is the source.
#[derive(Clone)]
#[non_exhaustive]
pub enum Callee {
    /// An actor that answers HTTP requests.
    Http(Arc<dyn Incoming>),
    /// Nothing: the provider is the target.
    None,
}

/// A link as a provider sees it: configurations resolved, callee at hand.
#[derive(Clone)]
pub struct ProviderLink {
    /// Which link.
    pub key: LinkKey,
    /// The actor at the other end.
    pub actor: ActorId,
    /// Interfaces the link grants; empty grants all.
    pub interfaces: Vec<String>,
    /// Configuration of the provider's own end.
    pub config: BTreeMap<String, String>,
    /// Secrets of the provider's own end, by name.
    pub secrets: BTreeMap<SecretName, Secret>,
    /// What to call, where the provider is the source.
    pub callee: Callee,
}

/// A capability provider.
///
/// Links come and go while it runs. `put_link` with a key it has is an update: calls in flight under the old
/// configuration end under it, later ones see the new one. How a link fares is told through [`Report`], at once and
/// whenever it changes; a cause that can pass (a taken port) is tried again by the provider itself.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The interfaces it takes part in.
    fn serves(&self) -> Cow<'static, [Serves]>;

    /// Whether its links may give it secrets. One that would have no use for them is not given any, and the link says so.
    fn takes_secrets(&self) -> bool {
        false
    }

    /// Takes a new or changed link. Returns when the link's first state has been reported. In a process of its own several links are
    /// put and deleted at once, one after the other only what is of the same link.
    async fn put_link(&self, link: ProviderLink);

    /// Forgets a link. Calls in flight on it may end; new ones are refused when this returns, or, by a process of its own, when it has
    /// heard of it. The host refuses calls of a link that is not there whatever the provider does.
    async fn delete_link(&self, link: &LinkKey);

    /// Takes the configuration that it was started with in a new version. One that cannot while it runs does nothing, and has
    /// it when it is started the next time.
    fn update_config(&self, _config: BTreeMap<String, String>) {}

    /// Stops: takes nothing new, lets calls in flight end until `deadline`, then breaks them off.
    async fn stop(&self, deadline: Instant);

    /// Its key-value side, where it has one.
    fn keyvalue(&self) -> Option<Arc<dyn Keyvalue>> {
        None
    }

    /// True if it is a process of its own, which takes its calls itself: over the lattice, from whoever makes them.
    fn is_process(&self) -> bool {
        false
    }

    /// Its outgoing-HTTP side, where it has one.
    fn http_outgoing(&self) -> Option<Arc<dyn Outgoing>> {
        None
    }
}
