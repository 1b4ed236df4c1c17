//! Every subject that the table of permissions gives to somebody, used by somebody whom it does not give it to. What is added to the
//! table is tried, too.

use std::collections::BTreeSet;

use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_core::permission::{Lane, Row, TABLE};

use super::broker::{Listen, Proof, listen, publish};
use crate::{
    attempt::Outcome,
    scene::{Scene, Seat},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// What stands for whoever a row is about, and in the place of each wildcard: nobody has this name.
const NOBODY: &str = "loot";

/// A subject that a pattern covers.
fn covered(pattern: &str) -> String {
    let token = |token| if matches!(token, "*" | ">") { NOBODY } else { token };
    pattern.split('.').map(token).collect::<Vec<_>>().join(".")
}

/// A row's subject as it is for somebody who is not there, and the queue group that it asks for.
fn filled(row: &Row) -> (String, Option<String>) {
    let filled = row.subject.replace("{lattice}", "default").replace("{me}", NOBODY);
    match filled.split_once(' ') {
        Some((subject, queue)) => (subject.to_owned(), Some(covered(queue))),
        None => (filled, None),
    }
}

fn rows(lane: Lane) -> impl Iterator<Item = (String, Option<String>)> {
    TABLE.iter().filter(move |row| row.lane == lane).map(filled)
}

/// Where others may publish, and `S` may not.
fn published<S: Seat>() -> Vec<String> {
    let all: BTreeSet<String> = rows(Lane::Publish).map(|(subject, _)| covered(&subject)).collect();
    all.into_iter().filter(|subject| !S::may(Lane::Publish, subject)).collect()
}

/// Where others may listen, and `S` may not.
fn heard<S: Seat>() -> Vec<Listen> {
    let all: BTreeSet<(String, Option<String>)> = rows(Lane::Subscribe).collect();
    let others = all.into_iter().filter(|(subject, _)| !S::may(Lane::Subscribe, subject));
    others
        .map(|(subject, queue)| {
            let said = covered(&subject);
            (subject, queue, said)
        })
        .collect()
}

/// Publishes wherever somebody else may.
pub(crate) fn publish_all<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move { publish(scene, &S::connection(scene), &published::<S>(), "forged", Proof::Sent).await }
        .boxed_local()
}

/// Listens wherever somebody else may.
pub(crate) fn listen_to_all<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move { listen(scene, &S::connection(scene), &heard::<S>()).await }.boxed_local()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Mole, Vera};

    #[test]
    fn what_others_may_is_tried_and_what_one_may_is_not() {
        let tries = |subject: &str| published::<Vera>().iter().any(|one| one == subject);
        for subject in ["$KV.loot", "wasmbus.ctl.v1.default.loot", "wasmbus.evt.default.loot"] {
            assert!(tries(subject), "{subject}");
        }
        assert!(!tries("wasmbus.ctl.v1.default.host.ping") && !tries("wasmbus.ctl.v1.default.link.get"));
        let group = "wasmbus.ctl.v1.default.loot".to_owned();
        let control =
            ("wasmbus.ctl.v1.default.*.*".to_owned(), Some(group), covered("wasmbus.ctl.v1.default.*.*"));
        assert!(heard::<Vera>().contains(&control) && heard::<Mole>().contains(&control));
        let events = |(subject, ..): &Listen| subject.starts_with("wasmbus.evt.");
        assert!(heard::<Mole>().iter().any(events) && !heard::<Vera>().iter().any(events));
        for subject in published::<Vera>().iter().chain(&published::<Mole>()) {
            assert!(!subject.contains(['{', '*', '>', ' ']), "{subject}");
        }
    }
}
