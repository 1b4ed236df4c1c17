//! Links: which ones each provider here should have, how they fare, and where an actor's calls go.

mod far;
mod plan;
mod router;
mod routes;
mod status;
mod survey;

pub(crate) use far::{FarEnd, away};
pub(crate) use plan::{Applied, Configs, Effect, Verdict, diff, merge, wanted};
pub(crate) use router::Router;
pub(crate) use routes::{Route, Routes, Sides};
pub(crate) use status::{End, Ends, Seen, status};
pub(crate) use survey::Survey;
