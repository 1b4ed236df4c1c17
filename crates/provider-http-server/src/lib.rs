//! The capability of being called over HTTP: listens, picks the actor by address, host and path, and streams both bodies.
//!
//! A link of this provider has the provider as its source, an actor as its target and the contract `wasi:http`. Its
//! configuration (of the provider's own end):
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `address` | IP address and port to listen on; links may share one | `127.0.0.1:8000` |
//! | `hostname` | comma list of names, exact or `*.example.org` (any name below it) | every name |
//! | `path` | prefix, on segment boundaries: `/api` takes `/api` and `/api/x`, not `/apix`. Compared as sent, and handed to the actor unchanged | `/` |
//! | `max_body_bytes` | largest request body; more is 413 | 16777216 |
//! | `request_timeout_ms` | time for the whole exchange, both bodies included | 30000 |
//!
//! Of several routes that match, the one with the most exact host wins, then the one with the longest path.
//!
//! The provider's own configuration bounds each listener: `max_connections` (10000), `max_header_bytes` (65536),
//! `max_headers` (100), `max_streams` (256, requests at once on one HTTP/2 connection), `idle_timeout_ms` (30000: a
//! connection without a complete request for so long is closed).
//!
//! A key that is not known fails the link, naming the one that was probably meant.

mod answer;
mod body;
mod config;
mod connection;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod listen;
mod request;
mod route;
mod serve;
mod server;
mod table;

pub use server::HttpServer;
