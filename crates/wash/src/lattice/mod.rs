//! What the commands that talk to a lattice share: reaching it, choosing a host, reading states, showing keys and whose
//! word something is.

mod claims;
mod connection;
mod hosts;
mod pairs;
mod place;
mod show;
mod status;
mod words;

pub(crate) use claims::actor_id;
pub(crate) use connection::{ConnectionArgs, Session, failed};
pub(crate) use hosts::{
    all_hosts, all_inventories, inventories_of, lost_of, resolve_host, resolve_host_or_lost,
};
pub(crate) use pairs::Pair;
pub(crate) use place::{Wanted, Workload, choose, offer};
pub(crate) use show::{image_of_files, own_labels, short_keys, uptime};
pub(crate) use status::{LinkRow, StateOf, link_rows, until_settled};
#[cfg(test)]
pub(crate) use words::by_letters;
pub(crate) use words::{Changed, Source};
