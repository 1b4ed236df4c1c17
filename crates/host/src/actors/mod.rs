//! Actors on this host: fetching, checking, starting, scaling, calling, stopping.

mod callee;
mod dispatch;
mod machine;
#[cfg(test)]
mod model;
mod needs;
mod start;
mod table;
mod tell;
mod worker;

pub(crate) use callee::Callees;
pub(crate) use needs::{Needs, state_with_links};
pub(crate) use start::{DefaultLimits, StartError, Starter};
pub(crate) use table::{ActorSpec, ActorView, Actors, Limits, Running, Signature};
pub(crate) use worker::{Crew, ScaleRefused};
