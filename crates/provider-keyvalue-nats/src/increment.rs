//! Exact increments: one writer for each key in this process, which gathers what waits and writes it at once.
//!
//! With every caller comparing and setting by itself, 32 at once make a storm in which 31 lose each round. Here they are
//! one write, and only writers of other processes are met by compare-and-set.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lattice_contracts::keyvalue::KeyvalueError;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    bucket::{Bucket, WriteError},
    entry::Entry,
    tally::{Refused, number, tally},
};

/// Increments of one key that wait at once.
const WAITING_MAX: usize = 4096;
/// Pause after the first lost race; it grows with each further one.
const PAUSE_FIRST: Duration = Duration::from_millis(1);
const PAUSE_MOST: Duration = Duration::from_millis(50);

type Answer = Result<i64, KeyvalueError>;
/// A bucket and a key in it, as JetStream has them.
type Place = (String, String);

/// The writers of all keys that are being incremented.
#[derive(Clone)]
pub(crate) struct Increments {
    waiting: Arc<Mutex<HashMap<Place, Vec<Waiting>>>>,
    tasks: TaskTracker,
    life: CancellationToken,
}

struct Waiting {
    delta: i64,
    deadline: Instant,
    answer: oneshot::Sender<Answer>,
}

impl Increments {
    pub(crate) fn new(tasks: TaskTracker, life: CancellationToken) -> Self {
        Self { waiting: Arc::default(), tasks, life }
    }

    /// Adds `delta` to what `key` (as JetStream has it) holds; the sum after it.
    pub(crate) async fn add(&self, bucket: &Bucket, key: &str, delta: i64, deadline: Instant) -> Answer {
        let (answer, answered) = oneshot::channel();
        let place = (bucket.name().to_owned(), key.to_owned());
        self.enqueue(bucket, place, Waiting { delta, deadline, answer })?;
        match timeout_at(deadline, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(bucket.failed("the provider stopped; it may have been counted".to_owned())),
            Err(_) => {
                Err(bucket
                    .failed("no answer within the call's deadline; it may have been counted".to_owned()))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Vec<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An entry in the map is a writer at work; who makes the entry starts the writer.
    fn enqueue(&self, bucket: &Bucket, place: Place, waiting: Waiting) -> Result<(), KeyvalueError> {
        let mut queues = self.lock();
        if let Some(queue) = queues.get_mut(&place) {
            if queue.len() >= WAITING_MAX {
                return Err(bucket.failed(format!("{WAITING_MAX} increments of this key wait already")));
            }
            queue.push(waiting);
            return Ok(());
        }
        queues.insert(place.clone(), vec![waiting]);
        drop(queues);
        let (this, bucket) = (self.clone(), bucket.clone());
        self.tasks.spawn(async move {
            let mut leaving = Leaving { of: &this, place: &place, in_order: false };
            tokio::select! {
                () = this.work(&bucket, &place) => leaving.in_order = true,
                () = this.life.cancelled() => {}
            }
        });
        Ok(())
    }

    async fn work(&self, bucket: &Bucket, place: &Place) {
        let mut known = None;
        while let Some(batch) = self.take(place) {
            let batch: Vec<Waiting> = batch.into_iter().filter(|one| !one.answer.is_closed()).collect();
            if batch.is_empty() {
                continue;
            }
            let deltas: Vec<i64> = batch.iter().map(|one| one.delta).collect();
            let deadline = batch.iter().map(|one| one.deadline).max().unwrap_or_else(Instant::now);
            let written = write(bucket, &place.1, &deltas, &mut known, deadline).await;
            if written.is_err() {
                known = None;
            }
            for (index, one) in batch.into_iter().enumerate() {
                let answer = match &written {
                    Ok(sums) => sums[index].map_err(|Refused::Overflow| {
                        bucket.failed(format!(
                            "adding {} overflows the counter; nothing was changed",
                            one.delta
                        ))
                    }),
                    Err(error) => Err(error.clone()),
                };
                // Who does not wait any more has been told so.
                drop(one.answer.send(answer));
            }
        }
    }

    /// What waits now; with nothing, the writer is done and the key forgotten, in the same step.
    fn take(&self, place: &Place) -> Option<Vec<Waiting>> {
        let mut queues = self.lock();
        match queues.get_mut(place) {
            Some(queue) if !queue.is_empty() => Some(std::mem::take(queue)),
            _ => {
                queues.remove(place);
                None
            }
        }
    }
}

/// However a writer ends, its key is free for the next; who still waited is answered by the end of the channel.
struct Leaving<'a> {
    of: &'a Increments,
    place: &'a Place,
    /// The entry went with the last look at it; there may be one of the next writer by now, and that one stays.
    in_order: bool,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if !self.in_order {
            self.of.lock().remove(self.place);
        }
    }
}

/// Writes a batch; the sum each part of it sees. `known` is what the key held after this writer's last write.
async fn write(
    bucket: &Bucket,
    key: &str,
    deltas: &[i64],
    known: &mut Option<Entry>,
    deadline: Instant,
) -> Result<Vec<Result<i64, Refused>>, KeyvalueError> {
    let mut pause = PAUSE_FIRST;
    loop {
        let entry = match known.take() {
            Some(entry) => entry,
            None => bucket.read(key, deadline).await?,
        };
        let start = number(entry.value.as_deref())
            .ok_or_else(|| KeyvalueError::NotANumber { key: crate::key::read_back(key) })?;
        let (sums, total) = tally(start, deltas);
        if sums.iter().all(Result::is_err) {
            *known = Some(entry);
            return Ok(sums);
        }
        match settle(bucket, key, total, entry.revision, deadline).await? {
            Some(written) => {
                *known = Some(written);
                return Ok(sums);
            }
            None if Instant::now() + pause >= deadline => return Err(WriteError::Conflict.into()),
            None => {
                tokio::time::sleep(jittered(pause)).await;
                pause = (pause * 2).min(PAUSE_MOST);
            }
        }
    }
}

/// Writes `total` over `expected`, and finds out what became of it even when the answer is lost: each write carries a
/// mark, and the key's last message says whose it is. `None`: another writer was faster.
async fn settle(
    bucket: &Bucket,
    key: &str,
    total: i64,
    expected: u64,
    deadline: Instant,
) -> Result<Option<Entry>, KeyvalueError> {
    let mark = random_mark();
    let value = bytes::Bytes::from(total.to_string());
    let mut unknown = None;
    loop {
        let tried = bucket.put_if(key, value.clone(), expected, &mark, deadline).await;
        let again = match tried {
            Ok(revision) => return Ok(Some(Entry { value: Some(value), revision, write: None })),
            Err(WriteError::Conflict) if unknown.is_none() => return Ok(None),
            Err(WriteError::Failed(error)) if unknown.is_none() => return Err(error),
            Err(WriteError::Unknown(error)) => {
                unknown = Some(error);
                Instant::now() < deadline
            }
            Err(WriteError::Conflict | WriteError::Failed(_)) => false,
        };
        let entry = read_in_the_end(bucket, key, deadline).await?;
        match whose(&entry, &mark, expected) {
            Whose::Ours => return Ok(Some(entry)),
            Whose::Nobodys if again => {}
            // Where others have written since, perhaps over ours, counting again might count twice.
            Whose::Nobodys | Whose::Others => {
                return Err(unknown.unwrap_or_else(|| WriteError::Conflict.into()));
            }
        }
    }
}

/// Whose write stands in a key.
#[derive(Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    Nobodys,
    Others,
}

fn whose(entry: &Entry, mark: &str, expected: u64) -> Whose {
    match entry {
        entry if entry.write.as_deref() == Some(mark) => Whose::Ours,
        entry if entry.revision == expected => Whose::Nobodys,
        _ => Whose::Others,
    }
}

/// Reads as often as it takes: what became of a write is worth more than an early error.
async fn read_in_the_end(bucket: &Bucket, key: &str, deadline: Instant) -> Result<Entry, KeyvalueError> {
    loop {
        match bucket.read(key, deadline).await {
            Err(_) if Instant::now() + PAUSE_MOST < deadline => tokio::time::sleep(PAUSE_MOST).await,
            read => return read,
        }
    }
}

/// Half to all of `pause`, so that two writers who met do not meet again.
fn jittered(pause: Duration) -> Duration {
    let half = pause / 2;
    let spread = u64::try_from(half.as_micros()).unwrap_or(0).max(1);
    half + Duration::from_micros(random() % spread)
}

/// A mark that no other write carries.
pub(crate) fn random_mark() -> String {
    format!("{:016x}", random())
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_without_answer_is_known_by_its_mark() {
        let entry = |revision, write: Option<&str>| {
            let write = write.map(str::to_owned);
            Entry { value: Some("1".into()), revision, write }
        };
        for (entry, want) in [
            (entry(8, Some("mine")), Whose::Ours),
            (entry(7, Some("other")), Whose::Nobodys),
            (entry(7, None), Whose::Nobodys),
            (entry(9, Some("other")), Whose::Others),
            // The key was set or deleted: our write may or may not have come before.
            (entry(9, None), Whose::Others),
            (Entry::default(), Whose::Others),
        ] {
            assert_eq!(whose(&entry, "mine", 7), want, "{entry:?}");
        }
        assert_eq!(whose(&Entry::default(), "mine", 0), Whose::Nobodys);
    }

    #[test]
    fn pauses_stay_within_their_bounds() {
        for pause in [PAUSE_FIRST, PAUSE_MOST] {
            let jittered = jittered(pause);
            assert!((pause / 2..=pause).contains(&jittered), "{jittered:?}");
        }
        assert_ne!(random_mark(), random_mark());
    }
}
