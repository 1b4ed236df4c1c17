//! Seals secrets to hosts that lack them, and forgets what was opened and has changed. Looks at every change of the facts.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use lattice_core::{HostId, SecretName};
use lattice_nats::{StateError, Version};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    Secrets,
    due::{Reader, Step, due},
};
use crate::{directory::Directory, lattice::View, presence::Standing};

/// How long each host that comes before this one may take to do it; compare-and-set makes two at once harmless.
const TURN: Duration = Duration::from_secs(2);
/// A write that failed is tried again after so long.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// When a step was first seen to be due.
type Since = HashMap<(SecretName, Version), Instant>;

/// Keeps at it until stopped.
pub(crate) async fn keep(secrets: Secrets, directory: Directory, stop: CancellationToken) {
    let mut changed = secrets.lattice().changed().listen();
    let mut since = Since::new();
    loop {
        changed.borrow_and_update();
        let Some(next) = stop.run_until_cancelled(look(&secrets, &directory, &mut since)).await else {
            return;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            heard = changed.changed() => if heard.is_err() { return },
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
        }
    }
}

/// Does what it is this host's turn to do; when to look again, if nothing else happens.
async fn look(secrets: &Secrets, directory: &Directory, since: &mut Since) -> Option<Instant> {
    let facts = secrets.lattice().view();
    secrets.sweep(&facts);
    let steps = due(secrets.me(), &facts.secrets, &readers(&facts, directory));
    let now = Instant::now();
    let id = |step: &Step| (step.name.clone(), step.seen.clone());
    *since = steps.iter().map(|step| (id(step), since.get(&id(step)).copied().unwrap_or(now))).collect();
    let mut next = None;
    for step in &steps {
        let turn = since.get(&id(step)).copied().unwrap_or(now) + TURN * step.rank.min(60);
        let again = if turn > now {
            Some(turn)
        } else {
            let sealed = seal(secrets, &facts, step).await;
            sealed.is_err().then(|| Instant::now() + RETRY_AFTER)
        };
        next = [next, again].into_iter().flatten().min();
    }
    next
}

/// The hosts of the lattice. One that is lost is sealed to as well: the box is for its key alone, and it may come back.
fn readers(facts: &View, directory: &Directory) -> BTreeMap<HostId, Reader> {
    let reader = |(id, told): (&HostId, &lattice_core::HostFact)| {
        let lost = directory.standing(id) == Some(Standing::Lost);
        (id.clone(), Reader { xkey: told.xkey.clone(), lost })
    };
    facts.hosts.iter().map(reader).collect()
}

async fn seal(secrets: &Secrets, facts: &View, step: &Step) -> Result<(), ()> {
    let Step { name, seen, to, drop, .. } = step;
    let Some(known) = facts.secrets.get(name) else { return Ok(()) };
    // Who cannot open it leaves it to others; why stands in the state of whatever needs it.
    let Ok(opened) = secrets.opened(facts, name) else { return Ok(()) };
    let mut says = known.says.clone();
    for (host, xkey) in to {
        // Each by itself: a host that tells a key that is none stands in nobody's way.
        match opened.seal_to(&[(host.clone(), xkey.clone())].into()) {
            Ok(boxes) => says.sealed.readers.extend(boxes),
            Err(error) => debug!(secret = %name, %host, %error, "nothing is sealed to this host"),
        }
    }
    says.sealed.readers.retain(|host, _| !drop.contains(host));
    match secrets.lattice().put_secret(name, &says, Some(seen)).await {
        Ok(()) => {
            info!(secret = %name, hosts = to.len(), "sealed a secret to hosts that came later");
            Ok(())
        }
        // Somebody else did it, or the value has changed: the next look sees which.
        Err(StateError::Superseded { .. }) => Ok(()),
        Err(error) => {
            debug!(secret = %name, %error, "a secret is not sealed to further hosts yet");
            Err(())
        }
    }
}
