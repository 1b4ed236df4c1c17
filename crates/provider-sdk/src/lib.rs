//! What the author of a capability provider needs, to run it as a process of its own.
//!
//! A provider implements [`Provider`] from the contracts, the same trait that a provider in the host's own process implements, and its
//! `main` is one line:
//!
//! ```no_run
//! # use std::{borrow::Cow, sync::Arc};
//! # use lattice_provider_sdk::{Provider, ProviderContext, ProviderLink, Serves};
//! # struct Store;
//! # #[async_trait::async_trait]
//! # impl Provider for Store {
//! #     fn serves(&self) -> Cow<'static, [Serves]> { Cow::Borrowed(&[]) }
//! #     async fn put_link(&self, _: ProviderLink) {}
//! #     async fn delete_link(&self, _: &lattice_core::LinkKey) {}
//! #     async fn stop(&self, _: tokio::time::Instant) {}
//! # }
//! # impl Store { fn new(_: ProviderContext) -> Result<Arc<Self>, std::io::Error> { Ok(Arc::new(Store)) } }
//! fn main() -> std::process::ExitCode {
//!     lattice_provider_sdk::run(Store::new)
//! }
//! ```
//!
//! What happens then: the process reads who it is from its standard input ([`wire::HostData`]), joins the lattice's NATS with its own
//! credentials, takes its links, serves calls of actors on any host, and obeys its host until it shall end. Standard input stays open
//! as long as the host lives; when it ends, so does the provider. What it writes to standard output and error goes to the host's log.

mod calls;
mod desk;
mod error;
mod life;
mod links;
mod logging;
mod obey;
mod refusals;
mod renewal;
mod serve;
mod start;
mod stdin;
mod turns;
pub mod wire;

pub use error::RunError;
pub use lattice_contracts::{
    Asker, Callee, Provider, ProviderContext, ProviderLink, Refused, Report, Serves,
};
pub use start::{Joined, run, run_joined};
pub use turns::Turns;
