//! Running a manifest on this host: read before anything starts, applied once the host answers, tried again where what
//! is missing may come.

mod apply;
mod read;

pub(crate) use apply::Applier;
pub(crate) use read::read;
