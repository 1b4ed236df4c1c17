//! `wash up` and `wash down` with a real nats-server and a host that is a shell script: what they start, what they say,
//! and that nothing is left.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod background;
mod closed;
mod foreground;
mod place;

use place::Place;
