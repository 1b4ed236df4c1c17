//! Waiting for something that nobody announces: asked again and again until a deadline.

use std::time::{Duration, Instant};

use crate::TestkitError;

const PAUSE: Duration = Duration::from_millis(10);

/// Asks `check` until it gives a value; the value.
///
/// # Errors
/// `Deadline`, naming `awaited`, when `within` has passed. An attempt under way is cut off at the deadline.
///
/// # Cancellation
/// Safe where the futures of `check` are.
pub async fn until<T, F>(
    awaited: &str,
    within: Duration,
    mut check: impl FnMut() -> F,
) -> Result<T, TestkitError>
where
    F: Future<Output = Option<T>>,
{
    let asking = async {
        loop {
            if let Some(value) = check().await {
                return value;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let deadline = || TestkitError::Deadline { awaited: awaited.to_owned(), within, tail: String::new() };
    tokio::time::timeout(within, asking).await.map_err(|_| deadline())
}

/// The same where no runtime is at hand, as in `Drop`: true when `check` came true in time.
#[must_use]
pub fn settled(within: Duration, mut check: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + within;
    loop {
        if check() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(PAUSE / 2);
    }
}
