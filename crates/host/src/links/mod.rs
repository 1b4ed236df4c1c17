//! Links: which ones each provider here should have, how they fare, and where an actor's calls go.

mod plan;
mod router;
mod routes;
mod status;

pub(crate) use plan::{Applied, Configs, Effect, Verdict, diff, merge, wanted};
pub(crate) use router::Router;
pub(crate) use routes::{Route, Routes, Sides};
pub(crate) use status::{End, Ends, Seen, status};
