//! Links: which ones each provider here should have, how they fare, and where an actor's calls go.
//!
//! `plan` judges, `reconcile` says what is to be done, `survey` how all of them fare, `routes` where calls go: all of it pure.

mod far;
#[cfg(test)]
mod model;
mod plan;
mod reconcile;
mod router;
mod routes;
mod status;
mod survey;

pub(crate) use far::{FarEnd, FarEnds, away};
pub(crate) use plan::{Configs, merge, wanted};
pub(crate) use reconcile::{Effect, Reconciler};
pub(crate) use router::Router;
pub(crate) use routes::{Route, Routes, Sides};
pub(crate) use status::{End, Ends, Seen, status};
pub(crate) use survey::Survey;
