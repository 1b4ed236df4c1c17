//! The control subjects: decode, act, answer. One file for what is done to one kind of thing.

mod actor;
mod call;
mod config;
mod host;
mod label;
mod link;
mod provider;
mod reply;
mod router;
mod serve;
mod trust;

pub(crate) use router::Ctl;
pub(crate) use serve::ControlTask;
