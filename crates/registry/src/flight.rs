//! One download for all who want the same thing at the same time.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};

use crate::{Artifact, FetchError};

type Outcome = Result<Artifact, FetchError>;
type Flight = Shared<BoxFuture<'static, Outcome>>;

/// The downloads that go on. A download whose last waiter has gone is cancelled.
#[derive(Clone, Default)]
pub(crate) struct Flights {
    going: Arc<Mutex<HashMap<String, WeakShared<BoxFuture<'static, Outcome>>>>>,
}

impl Flights {
    /// Joins the download named `key`, or begins it.
    pub(crate) async fn join<F>(&self, key: String, begin: impl FnOnce() -> F) -> Outcome
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let flight = self.find_or_begin(key, begin);
        flight.await
    }

    fn find_or_begin<F>(&self, key: String, begin: impl FnOnce() -> F) -> Flight
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut going = self.going.lock().expect("nobody panics while holding it");
        // Those that nobody waits for any more, and those that are done.
        going.retain(|_, flight| flight.upgrade().is_some_and(|flight| flight.peek().is_none()));
        if let Some(flight) = going.get(&key).and_then(WeakShared::upgrade) {
            return flight;
        }
        let flight = begin().boxed().shared();
        if let Some(weak) = flight.downgrade() {
            going.insert(key, weak);
        }
        flight
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    fn failure() -> Outcome {
        Err(FetchError::Setup { reason: "test".to_owned() })
    }

    #[tokio::test]
    async fn many_wait_for_one_and_the_next_begins_anew() {
        let flights = Flights::default();
        let begun = Arc::new(AtomicUsize::new(0));
        let go = Arc::new(Notify::new());
        let join = || {
            let (begun, go) = (begun.clone(), go.clone());
            flights.join("a".to_owned(), move || {
                begun.fetch_add(1, Ordering::SeqCst);
                async move {
                    go.notified().await;
                    failure()
                }
            })
        };
        let open = async { go.notify_one() };
        let (one, two, ()) = tokio::join!(join(), join(), open);
        assert!(one.is_err() && two.is_err());
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        go.notify_one();
        assert!(join().await.is_err());
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_waiter_that_goes_does_not_take_the_download_along() {
        let flights = Flights::default();
        let go = Arc::new(Notify::new());
        let begin = || {
            let go = go.clone();
            async move {
                go.notified().await;
                failure()
            }
        };
        let mut first = Box::pin(flights.join("a".to_owned(), begin));
        assert!(futures::poll!(&mut first).is_pending());
        let mut second = Box::pin(flights.join("a".to_owned(), || async { panic!("begun twice") }));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        go.notify_one();
        assert!(second.await.is_err());
    }
}
