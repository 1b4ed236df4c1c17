//! A process is told of its links: several at once, so that one that is not answered holds up no other.

use std::convert::Infallible;

use futures::{StreamExt as _, stream::FuturesUnordered};
use lattice_core::LinkKey;
use tracing::debug;

use super::{life::Life, links::Order};

impl Life {
    /// Tells the process that runs now of its links, whenever there is something to tell, for as long as it runs.
    ///
    /// # Cancellation
    /// By dropping: what is on its way is given up. A new process is told of all links at its start.
    pub(super) async fn tell_links(&self) -> Infallible {
        let mut on_their_way = FuturesUnordered::new();
        loop {
            while let Some((key, order)) = self.next_order() {
                on_their_way.push(self.tell_link(key, order));
            }
            tokio::select! {
                Some(key) = on_their_way.next() => self.told(&key),
                () = self.to_tell.notified() => {}
            }
        }
    }

    async fn tell_link(&self, key: LinkKey, order: Order) -> LinkKey {
        let answer = match &order {
            // Sealed for the process of now, and only when it is told.
            Order::Put(link) => self.talk.put(&self.with_secrets(link)).await,
            Order::Delete(link) => self.talk.delete(link).await,
        };
        match answer {
            Ok(answer) => self.report_link(&answer),
            // The next look finds it lacking still.
            Err(silence) => debug!(provider = %self.id(), %key, %silence, "it was not told of a link"),
        }
        key
    }
}
