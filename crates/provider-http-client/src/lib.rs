//! The capability of making HTTP requests: only where a link allows, and never into the private network by accident.
//!
//! A link of this provider has an actor as its source, the provider as its target and the contract `wasi:http`. Its
//! configuration (of the provider's own end):
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `allow` | comma list of hosts: `example.org`, `*.example.org` (any name below it), `example.org:8443`, IP addresses | every public host |
//! | `allow_private` | also addresses that are not of the public internet: loopback, private, link-local, … | `false` |
//! | `connect_timeout_ms` | to resolve, connect and agree on TLS | 10000 |
//! | `first_byte_timeout_ms` | from the connection to the response head | 30000 |
//! | `between_bytes_timeout_ms` | between two pieces of the response body | 30000 |
//! | `max_response_bytes` | largest response body | 67108864 |
//! | `max_connections` | connections of the link at once, idle ones included | 256 |
//! | `secret_headers` | comma list of headers that are added to each request, with the name of one of the link's secrets in
//! braces: `authorization=Bearer {token}`; takes an `allow` list without `*`, since every host of it gets the secret | |
//! | `secret_headers_plain` | send them over plain `http`, too | `false` |
//! | `ca_file` | PEM file of the authorities to trust **instead of** the public ones | |
//!
//! A name is resolved first, every address it has is judged, and only an address that passed is connected to: a name
//! that points elsewhere a moment later gains nothing. Redirects are not followed; a guest that follows one makes a
//! request that is judged like any other. A guest's own limits can only shorten these, and nothing outlasts the call's
//! deadline.

mod address;
mod allow;
mod body;
mod client;
mod config;
mod connect;
mod failure;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod provider;
mod resolve;
mod secret_headers;
mod send;
mod trust;

pub use provider::HttpClient;
pub use resolve::Resolve;
