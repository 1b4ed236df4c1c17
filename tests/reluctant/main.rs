//! A provider for scenarios, as a process of its own: it keeps no values, and never finishes taking a link whose configuration says
//! `takes=never`. So does a provider whose backend does not answer.

use std::{borrow::Cow, convert::Infallible, process::ExitCode, sync::Arc};

use async_trait::async_trait;
use lattice_core::{Direction, LinkKey, State};
use lattice_provider_sdk::{Provider, ProviderContext, ProviderLink, Serves};
use tokio::time::Instant;

const SERVES: &[Serves] = &[Serves {
    namespace: "wasi",
    package: "keyvalue",
    interface: "store",
    direction: Direction::ToProvider,
}];

struct Reluctant(ProviderContext);

#[async_trait]
impl Provider for Reluctant {
    fn serves(&self) -> Cow<'static, [Serves]> {
        Cow::Borrowed(SERVES)
    }

    async fn put_link(&self, link: ProviderLink) {
        if link.config.get("takes").is_some_and(|takes| takes == "never") {
            tracing::info!("this link is never taken");
            std::future::pending::<()>().await;
        }
        self.0.report.link(&link.key, State::Ready);
    }

    async fn delete_link(&self, _link: &LinkKey) {}

    async fn stop(&self, _deadline: Instant) {}
}

fn main() -> ExitCode {
    lattice_provider_sdk::run(|context: ProviderContext| Ok::<_, Infallible>(Arc::new(Reluctant(context))))
}
