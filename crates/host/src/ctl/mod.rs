//! The control subjects: decode, act, answer. One file for what is done to one kind of thing.

mod accepted;
mod actor;
mod call;
mod config;
mod forget;
mod guard;
mod host;
mod label;
mod link;
mod provider;
mod reply;
mod role;
mod router;
mod rule;
mod secret;
mod serve;
mod source;
mod target;
mod trust;

pub(crate) use guard::Guard;
pub(crate) use router::Ctl;
pub(crate) use serve::ControlTask;
