//! Secrets on this host: which it can open, and sealing them to hosts that came later.
//!
//! `vault` opens, `due` says to whom which secret is to be sealed (pure), `keep` does it, `give` hands a link's secrets to a
//! provider's own process. What is opened lives in memory alone.

mod due;
mod give;
mod keep;
mod missing;
mod vault;

pub(crate) use give::sealed;
pub(crate) use keep::keep;
pub(crate) use missing::Missing;
pub(crate) use vault::{Known, Secrets};
