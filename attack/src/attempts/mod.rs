//! The attempts, by what they go for.

pub(crate) mod archives;
pub(crate) mod broker;
pub(crate) mod calls;
pub(crate) mod commands;
pub(crate) mod control;
pub(crate) mod doors;
pub(crate) mod facts;
pub(crate) mod images;
pub(crate) mod neighbours;
pub(crate) mod packed;
pub(crate) mod presence;
pub(crate) mod processes;
pub(crate) mod prowler;
pub(crate) mod roles;
pub(crate) mod sandbox;
pub(crate) mod sealed;
pub(crate) mod secrets;
pub(crate) mod subjects;
pub(crate) mod sweep;
pub(crate) mod tales;
pub(crate) mod text;
pub(crate) mod viewer;
pub(crate) mod visitor;
