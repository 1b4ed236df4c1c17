//! The provider on real sockets, with actors that the tests play.

mod binding;
mod limits;
mod rig;
mod serving;
