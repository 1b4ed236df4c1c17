//! Starting an actor until it runs: what is away may come back, what is not there yet may be pushed or built.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{ActorSpec, Crew, StartError};
use crate::pause::Pause;

/// Where the outcome of a command comes.
pub(crate) type StartedOutcome = oneshot::Receiver<Result<(), Arc<StartError>>>;

/// Starts an actor, again and again with growing pauses as long as that may help; true when it runs.
///
/// `first` is the outcome of a start that is under way already. Before each further one `is_wanted` is asked: somebody may
/// have decided otherwise meanwhile.
pub(crate) async fn keep_starting(
    crew: &Crew,
    spec: &ActorSpec,
    first: Option<StartedOutcome>,
    is_wanted: impl Fn() -> bool,
    stop: &CancellationToken,
) -> bool {
    let mut pause = Pause::new();
    let mut under_way = first;
    loop {
        let outcome = match under_way.take() {
            Some(outcome) => outcome,
            None => match crew.scale(spec.clone(), true) {
                Ok(outcome) => outcome,
                Err(_refused) => return false,
            },
        };
        match outcome.await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) if error.is_transient() => {
                info!(actor = %spec.id, again_in = ?pause.next(), "will be started again");
                if pause.wait(stop).await.is_break() || !is_wanted() {
                    return false;
                }
            }
            // The state says why; or the host is stopping and the worker is gone.
            Ok(Err(_)) | Err(_) => return false,
        }
    }
}
