//! Calls between hosts: who gets one, what a host answers for, and how it is announced.
//!
//! A target in this process is called as a function and never comes here; see `actors::callee` and `actors::dispatch`.

mod announce;
mod asking;
mod check;
mod choose;
mod full;
mod lines;
mod patience;
mod refused;
mod remote;
mod serve;

use announce::Announcements;
pub(crate) use choose::Here;
pub(crate) use lines::Lines;
pub(crate) use patience::Patience;
pub(crate) use refused::RefusedCalls;
pub(crate) use remote::{LinkCaller, Remote, RemoteParts, Way};
pub(crate) use serve::{Door, Server};
