//! What all these programs do alike: read their arguments, say in the end what came of it or how they are called, and work with
//! many workers at once.

use std::{fmt::Display, process::ExitCode};

use anyhow::Context as _;
use tokio::task::JoinSet;

use crate::Latencies;

/// Runs a program that prints one line in the end; `usage` is how it is called.
pub async fn program<T: Display>(
    usage: &str,
    run: impl AsyncFnOnce(&[String]) -> anyhow::Result<T>,
) -> ExitCode {
    served(usage, async |args: &[String]| {
        println!("{}", run(args).await?);
        Ok(())
    })
    .await
}

/// Runs a program that serves until it is ended; `usage` is how it is called.
pub async fn served(usage: &str, run: impl AsyncFnOnce(&[String]) -> anyhow::Result<()>) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}\nusage: {usage}");
            ExitCode::FAILURE
        }
    }
}

/// So many workers at once, and what they noted together.
///
/// # Errors
/// That of the first worker that fails; the others are ended.
///
/// # Cancellation
/// Dropping the future ends the workers.
pub async fn at_once<W>(count: usize, worker: impl Fn() -> W) -> anyhow::Result<Latencies>
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
