//! Claims from outside: against the reference implementation, against tampering, against hostile bytes.

#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test, wherever it happens")]

mod archive;
mod command;
mod compatibility;
mod fixtures;
mod hostile;
mod nats;
mod trust;
mod verify;
