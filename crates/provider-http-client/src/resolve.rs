//! Names to addresses, and of these only the ones that may be connected to.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::address::is_public;

/// Turns a host name into its addresses.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// All addresses of `name`, the preferred one first.
    ///
    /// # Errors
    /// What the resolver says. Dropping the future abandons the question.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the system.
pub(crate) struct System;

#[async_trait]
impl Resolve for System {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Why a name leads nowhere; found again by [`crate::failure`] in the chain of causes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unresolved {
    #[error("{0}")]
    Dns(String),
    #[error("{0}")]
    Private(String),
}

/// Resolves, and lets only those addresses through that may be connected to. The connector asks once for each
/// connection and connects to nothing else, so that no second answer can differ from the one that was judged.
#[derive(Clone)]
pub(crate) struct Judged {
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) allow_private: bool,
}

impl Judged {
    async fn addresses(self, name: &str) -> Result<std::vec::IntoIter<SocketAddr>, Unresolved> {
        let found = self.resolver.resolve(name).await.map_err(|error| Unresolved::Dns(error.to_string()))?;
        let Some(first) = found.first().copied() else {
            return Err(Unresolved::Dns("the name has no address".into()));
        };
        let fit: Vec<SocketAddr> = found
            .into_iter()
            .filter(|address| self.allow_private || is_public(*address))
            .map(|address| SocketAddr::new(address, 0))
            .collect();
        if fit.is_empty() {
            return Err(Unresolved::Private(why_private(first)));
        }
        Ok(fit.into_iter())
    }
}

/// What is said of an address that is not public.
pub(crate) fn why_private(address: IpAddr) -> String {
    format!(
        "its address {address} is not of the public internet; set allow_private=true on the link to allow it"
    )
}

impl Service<Name> for Judged {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Unresolved;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Unresolved>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.addresses(name.as_str()).await })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Fixed(&'static [&'static str]);

    #[async_trait]
    impl Resolve for Fixed {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            Ok(self.0.iter().map(|text| text.parse().unwrap()).collect())
        }
    }

    #[tokio::test]
    async fn of_mixed_answers_only_the_public_ones_are_connected_to() {
        let resolver = Arc::new(Fixed(&["127.0.0.1", "1.1.1.1", "::1", "::ffff:10.0.0.1"]));
        let judged = Judged { resolver: resolver.clone(), allow_private: false };
        let fit: Vec<_> = judged.addresses("a").await.unwrap().map(|address| address.ip()).collect();
        assert_eq!(fit, ["1.1.1.1".parse::<IpAddr>().unwrap()]);
        let open = Judged { resolver, allow_private: true };
        assert_eq!(open.addresses("a").await.unwrap().count(), 4);
        let empty = Judged { resolver: Arc::new(Fixed(&[])), allow_private: true };
        assert!(matches!(empty.addresses("a").await, Err(Unresolved::Dns(_))));
        let private = Judged { resolver: Arc::new(Fixed(&["fd00::1"])), allow_private: false };
        assert!(matches!(private.addresses("a").await, Err(Unresolved::Private(_))));
    }

    /// A name that leads to the public internet while it is looked at, and to this machine afterwards.
    struct Turning(AtomicUsize);

    #[async_trait]
    impl Resolve for Turning {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            let asked = self.0.fetch_add(1, Ordering::Relaxed);
            let address = if asked == 0 { "1.1.1.1" } else { "127.0.0.1" };
            Ok(vec![address.parse().unwrap()])
        }
    }

    #[tokio::test]
    async fn an_answer_that_changes_is_judged_anew_and_never_connected_to_by_what_was_judged_before() {
        let resolver = Arc::new(Turning(AtomicUsize::new(0)));
        let judged = Judged { resolver: resolver.clone(), allow_private: false };
        // The connector gets the addresses themselves, not the name again.
        let fit: Vec<_> = judged.clone().addresses("a").await.unwrap().map(|address| address.ip()).collect();
        assert_eq!(fit, ["1.1.1.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(resolver.0.load(Ordering::Relaxed), 1);
        for _ in 0..2 {
            assert!(matches!(judged.clone().addresses("a").await, Err(Unresolved::Private(_))));
        }
    }
}
