//! Listening to the neighbours before this host on the ring, whoever they are at the moment.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use lattice_core::{Beat, BeatKind, BeatSubject, HostId, LatticeName};
use lattice_nats::{Connection, Message};
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;
use tracing::debug;

use super::machine::Event;
use crate::supervisor::Tasks;

const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(500);

/// One subscription for each neighbour. Dropping it ends them.
pub(super) struct Ears {
    connection: Connection,
    lattice: LatticeName,
    tasks: Tasks,
    heard: mpsc::Sender<Event>,
    open: BTreeMap<HostId, DropGuard>,
}

impl Ears {
    pub(super) fn new(
        connection: &Connection,
        lattice: &LatticeName,
        tasks: &Tasks,
        heard: mpsc::Sender<Event>,
    ) -> Self {
        let (connection, lattice, tasks) = (connection.clone(), lattice.clone(), tasks.clone());
        Self { connection, lattice, tasks, heard, open: BTreeMap::new() }
    }

    /// Listens to exactly these from now on.
    pub(super) fn turn_to(&mut self, hosts: &BTreeSet<HostId>) {
        self.open.retain(|host, _| hosts.contains(host));
        for host in hosts {
            if self.open.contains_key(host) {
                continue;
            }
            let stop = self.tasks.stop_token().child_token();
            let subject =
                BeatSubject { lattice: self.lattice.clone(), host: host.clone(), kind: BeatKind::Neighbours };
            let listening = listen(self.connection.clone(), subject, self.heard.clone());
            let ends = stop.clone();
            self.tasks.spawn("presence-ear", async move {
                ends.run_until_cancelled(listening).await;
            });
            self.open.insert(host.clone(), stop.drop_guard());
        }
    }
}

/// A subscription that cannot be made now is made later: presence goes on with the full beats.
async fn listen(connection: Connection, subject: BeatSubject, heard: mpsc::Sender<Event>) {
    let text = subject.to_string();
    loop {
        match connection.subscribe_in_force([(text.clone(), None)], SUBSCRIBE_WITHIN).await {
            Ok(mut messages) => {
                while let Some(message) = messages.next().await {
                    // Which subscription a message comes by is no proof of whose it is.
                    let beat = read(&subject.host, &message).filter(|_| message.subject.as_str() == text);
                    // When nobody takes them, beats are dropped: there will be others.
                    let _ = beat.map(|event| heard.try_send(event));
                }
                return;
            }
            Err(error) => debug!(%error, subject = text, "the beats of a neighbour are not heard"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn read(from: &HostId, message: &Message) -> Option<Event> {
    Some(Event::Beat { from: from.clone(), beat: Beat::from_bytes(&message.payload)? })
}
