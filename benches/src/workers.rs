//! Many workers at once, as some of the programs have them.

use anyhow::Context as _;
use tokio::task::JoinSet;

use crate::Latencies;

/// So many workers at once, and what they noted together.
///
/// # Errors
/// That of the first worker that fails; the others are ended.
///
/// # Cancellation
/// Dropping the future ends the workers.
pub(crate) async fn at_once<W>(count: usize, worker: impl Fn() -> W) -> anyhow::Result<Latencies>
where
    W: Future<Output = anyhow::Result<Latencies>> + Send + 'static,
{
    let mut workers = JoinSet::new();
    for _ in 0..count {
        workers.spawn(worker());
    }
    let mut all = Latencies::default();
    while let Some(worker) = workers.join_next().await {
        all.join(worker.context("a worker panicked")??);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_all_workers_noted_comes_together() {
        let one = || async {
            let mut latencies = Latencies::default();
            latencies.note(Duration::from_micros(1));
            Ok(latencies)
        };
        assert_eq!(at_once(3, one).await.unwrap().summary(Duration::from_secs(1)).calls, 3);
        let failing = || async { anyhow::bail!("no answer") };
        assert_eq!(at_once(2, failing).await.unwrap_err().to_string(), "no answer");
    }
}
