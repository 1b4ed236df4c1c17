//! The NATS side of the lattice: connecting, asking, serving control requests, events, and the lattice's state.
//!
//! The only crate with async-nats in its signatures. What async-nats does not do by itself (see each module) is done
//! here once: replies are routed without leaks, subscriptions are known to be in force, refusals of the server reach
//! whoever caused them, and a watch that went blind is made anew.

mod admission;
mod clock;
mod connect;
mod connection;
mod control;
mod events;
mod fence;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod inbox;
mod invocation;
mod jetstream_api;
mod jitter;
mod options;
mod provider_line;
pub mod remote;
mod renewable;
mod replies;
mod request;
mod state;
mod subscribe;
mod tasks;
mod violation;

pub use admission::ControlCounts;
pub use async_nats::{HeaderMap, Message, jetstream};
pub use clock::WallClock;
pub use connect::ConnectError;
pub use connection::Connection;
pub use control::{ControlRequest, ControlServer, RespondError};
pub use events::{EventError, EventPublisher, EventStream};
pub use invocation::{
    Announced, CallCounts, Called, Calls, Inbound, Outbound, Received, Serve, Serving, Thaws,
};
pub use jetstream_api::ApiError;
pub use options::{ConnectOptions, Credentials, DEFAULT_SERVER, Member, Secret, Tls};
pub use provider_line::{HostLine, ProviderLine, Said};
pub use renewable::Renewable;
pub use request::{Gather, Question, RequestError, SCATTER_ANSWERS_MAX};
pub use state::{
    Fact, FactStore, Facts, Loaded, Overridden, SetAside, SnapshotError, SnapshotFile, SnapshotKind,
    StateError, UnreadableSnapshot, Version,
};
pub use subscribe::{SubscribeError, Subscription};
pub use violation::{Refused, Violation};
