//! The control protocol: every type against the JSON of version 1, and the client against a host on real NATS.

#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test, wherever it happens")]

mod client;
mod golden;
mod signed;
