//! A NATS of one's own: operator, accounts and users, and a folder for each server of it.
//!
//! ```text
//! DIR/nats.json                what it is
//! DIR/keys/*.nk                who signs: operator, system account, account; and admins, whose commands hosts take
//! DIR/*.jwt                    their tokens
//! DIR/users/NAME.creds         users
//! DIR/users/providers-L.key    by which hosts of lattice L sign their provider processes
//! DIR/server/, DIR/sites/NAME/ what a server needs, to be copied to its machine
//! ```
//!
//! All of it is made aside and then renamed, and every later change is one file replaced by a whole new one. What counts of a
//! user is its token and the account's list of revoked ones, both signed; so whenever a process dies, what is there is usable, and
//! doing the same again goes on from there.

mod config;
mod folder;
mod keys;
mod make;
mod providers;
mod push;
mod server;
mod site;
mod users;

pub(crate) use config::{Remote, TlsFiles};
pub(crate) use folder::{OwnNats, Plan};
pub(crate) use make::{TlsGiven, make};
pub(crate) use push::push;
pub(crate) use server::ServerFolder;
pub(crate) use site::{SiteWanted, make_site};
pub(crate) use users::{NewUser, User};

#[cfg(test)]
mod tests;
