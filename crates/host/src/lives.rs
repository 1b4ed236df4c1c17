//! A host that broke begins anew, in the same process: something without which it is no host has ended, and it is no good to those who
//! call it if it stays away until somebody comes by.

use std::time::{Duration, Instant};

use tracing::{error, info};

use crate::{Host, HostConfig, StopReason, wishes::Wishes};

/// Before the second life; each life that was short doubles it, up to the longest.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A life that is as long was none of the short ones.
const LONG: Duration = Duration::from_secs(60);

/// How long is waited before the next life.
#[derive(Debug, Default)]
struct Pauses {
    short_lives: u32,
}

impl Pauses {
    fn after(&mut self, life: Duration) -> Duration {
        self.short_lives = if life < LONG { self.short_lives.saturating_add(1) } else { 1 };
        PAUSE.saturating_mul(1 << (self.short_lives - 1).min(16)).min(PAUSE_MAX)
    }
}

/// Runs a host until somebody asks it to stop, one life after the other. `begun` is told of the first one; `config` gives what each
/// begins with, and a later one keeps what is remembered, whatever its flags say.
///
/// # Errors
/// The first life cannot begin. Later ones are tried until they do.
pub async fn live(
    config: impl Fn() -> anyhow::Result<HostConfig>,
    begun: impl FnOnce(&Host) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut life, mut pauses) = (Instant::now(), Pauses::default());
    let host = Host::start(config()?).await?;
    // The first life is one that a signal may end at any moment before this; no later one is.
    let mut wishes = Wishes::listen();
    begun(&host)?;
    let mut ended = host.run(&mut wishes).await;
    while let StopReason::Broken(why) = ended {
        let pause = pauses.after(life.elapsed());
        error!(why, ?pause, "the host broke, and begins anew");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            signal = wishes.heard() => return stopped_between(signal),
        }
        life = Instant::now();
        let begins = async { Host::start(config()?.again()).await };
        let host = tokio::select! {
            host = begins => host,
            signal = wishes.heard() => return stopped_between(signal),
        };
        ended = match host {
            Ok(host) => host.run(&mut wishes).await,
            Err(error) => StopReason::Broken(format!("it could not begin: {error:#}")),
        };
    }
    Ok(())
}

/// Nothing runs that would have to be stopped.
fn stopped_between(signal: &str) -> anyhow::Result<()> {
    info!(signal, "asked to stop, so the host does not begin anew");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lives_are_followed_by_longer_and_longer_pauses() {
        let mut pauses = Pauses::default();
        let after = |pauses: &mut Pauses, seconds| pauses.after(Duration::from_secs(seconds)).as_millis();
        let short: Vec<u128> = (0..8).map(|_| after(&mut pauses, 3)).collect();
        assert_eq!(short, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(after(&mut pauses, 61), 500);
        assert_eq!(after(&mut pauses, 1), 1000);
        for _ in 0..100 {
            after(&mut pauses, 0);
        }
        assert_eq!(after(&mut pauses, 0), 30_000);
    }
}
