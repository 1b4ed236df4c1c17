//! The links of a process, given to the provider: several at once, and of one link in order.

use std::time::Duration;

use futures::{StreamExt as _, stream::FuturesUnordered};
use lattice_core::LinkKey;
use lattice_nats::Said;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tracing::warn;

use crate::{turns::Turns, wire::LinkDefinition};

/// Links that the provider is given or that are taken from it at once.
const AT_ONCE: usize = 16;
/// Links that wait for their turn, beside those of the start; further ones wait in the channel, and then with the host.
const WAITING_MAX: usize = 1024;
/// How long the links of the start may hold up the first call. Those that take longer get there while calls are taken.
const FIRST_WITHIN: Duration = Duration::from_secs(8);

/// A link to be put or deleted, and who waits to hear of it; nobody for one of the start.
pub(crate) struct LinkOrder {
    pub(crate) key: LinkKey,
    pub(crate) link: LinkDefinition,
    pub(crate) deletes: bool,
    pub(crate) said: Option<Said>,
}

impl LinkOrder {
    /// One of the links of the start; none for a link that carries nothing.
    pub(crate) fn first(link: LinkDefinition) -> Option<Self> {
        let key = link.key().inspect_err(|error| warn!(%error, "a link carries nothing")).ok()?;
        Some(Self { key, link, deletes: false, said: None })
    }
}

/// What the desk needs of its process.
pub(crate) trait Clerk: Sync {
    /// Carries out one order and answers it. It ends by itself, within a bound.
    fn carry_out(&self, order: LinkOrder) -> impl Future<Output = ()> + Send;

    /// From now on calls are taken; false if that cannot be.
    fn take_calls(&self) -> impl Future<Output = bool> + Send;
}

/// Carries out the orders of the start, lets calls in, and goes on with whatever the host says, until there is nobody to say any more,
/// or calls cannot be taken.
///
/// # Cancellation
/// By dropping: what is under way is broken off.
pub(crate) async fn keep_links(
    clerk: &impl Clerk,
    first: impl Iterator<Item = LinkOrder>,
    mut orders: mpsc::Receiver<LinkOrder>,
) {
    let (mut turns, mut under_way) = (Turns::new(AT_ONCE), FuturesUnordered::new());
    first.for_each(|order| turns.push(order.key.clone(), (order, true)));
    let mut first_left = turns.waiting();
    let (opens_at, mut is_open) = (Instant::now() + FIRST_WITHIN, false);
    loop {
        while let Some((key, (order, is_first))) = turns.begin() {
            under_way.push(async move {
                clerk.carry_out(order).await;
                (key, is_first)
            });
        }
        if !is_open && (first_left == 0 || Instant::now() >= opens_at) {
            if !clerk.take_calls().await {
                return;
            }
            is_open = true;
        }
        tokio::select! {
            Some((key, is_first)) = under_way.next() => {
                turns.done(&key);
                first_left -= usize::from(is_first);
            }
            order = orders.recv(), if turns.waiting() < WAITING_MAX => match order {
                Some(order) => turns.push(order.key.clone(), (order, false)),
                None => return,
            },
            () = sleep_until(opens_at), if !is_open => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use lattice_core::{Contract, LinkName};

    use super::*;

    /// Writes down what it does; a link whose source is `silent` takes an hour.
    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);

    impl Notes {
        fn note(&self, what: String) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        }

        fn all(&self) -> Vec<String> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    impl Clerk for Notes {
        async fn carry_out(&self, order: LinkOrder) {
            let what = if order.deletes { "del" } else { "put" };
            let long = order.key.source.as_str() == "silent" && !order.deletes;
            tokio::time::sleep(Duration::from_secs(if long { 3600 } else { 1 })).await;
            self.note(format!("{what} {}", order.key.source));
        }

        async fn take_calls(&self) -> bool {
            self.note("open".to_owned());
            true
        }
    }

    fn order(source: &str, deletes: bool) -> LinkOrder {
        let key = LinkKey {
            source: source.parse().unwrap(),
            target: "kv".parse().unwrap(),
            contract: Contract::keyvalue(),
            name: LinkName::default(),
        };
        LinkOrder { link: LinkDefinition::of(&key, 1), key, deletes, said: None }
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_is_not_taken_holds_up_nobody_but_itself() {
        let notes = Notes::default();
        let many = (0..40).map(|number| order(&format!("a{number}"), false));
        let first = std::iter::once(order("silent", false)).chain(many);
        let (later, orders) = mpsc::channel(8);
        let keeps = keep_links(&notes, first, orders);
        let says = async {
            let start = Instant::now();
            // Fifteen places are left: 40 of a second each take 3 s.
            tokio::time::sleep(Duration::from_millis(3500)).await;
            assert_eq!(notes.all().len(), 40, "{:?}", notes.all());
            tokio::time::sleep_until(start + FIRST_WITHIN + Duration::from_millis(1)).await;
            assert_eq!(notes.all()[40..], ["open"]);
            // What comes later has its turn, but for what is of the same link.
            for one in [order("silent", true), order("late", false)] {
                assert!(later.send(one).await.is_ok());
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(notes.all()[41..], ["put late"]);
            tokio::time::sleep_until(start + Duration::from_secs(3602)).await;
            assert_eq!(notes.all()[42..], ["put silent", "del silent"]);
            drop(later);
        };
        tokio::join!(keeps, says);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_taken_as_soon_as_all_links_of_the_start_are() {
        let notes = Notes::default();
        let (_later, orders) = mpsc::channel(8);
        let keeps = keep_links(&notes, [order("a", false), order("b", false)].into_iter(), orders);
        let _still_open = tokio::time::timeout(Duration::from_millis(1500), keeps).await;
        assert_eq!(notes.all(), ["put a", "put b", "open"]);
    }
}
