//! The clock of the engines: one thread that advances their epoch every 10 ms.
//!
//! A tick makes a busy guest yield; counted while a guest is being polled, ticks are the processor time it used.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::Duration,
};

use wasmtime::Engine;

/// Time between two ticks.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// How many ticks make `time`, at least one.
pub(crate) fn ticks_in(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// The ticks so far. Cheap to clone and read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticks(Arc<AtomicU64>);

impl Ticks {
    /// Ticks since the runtime was made.
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The thread; dropping it stops and joins it.
pub(crate) struct Ticker {
    ticks: Ticks,
    engines: Arc<Mutex<Vec<Engine>>>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread, with no engine yet.
    pub(crate) fn start() -> std::io::Result<Self> {
        let ticks = Ticks::default();
        let engines = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = mpsc::channel();
        let (count, list) = (ticks.clone(), engines.clone());
        let thread = std::thread::Builder::new().name("epoch-ticker".to_owned()).spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                count.0.fetch_add(1, Ordering::Relaxed);
                for engine in lock(&list).iter() {
                    engine.increment_epoch();
                }
            }
        })?;
        Ok(Self { ticks, engines, stop: Some(stop), thread: Some(thread) })
    }

    /// Ticks for `engine` too from now on.
    pub(crate) fn add(&self, engine: Engine) {
        lock(&self.engines).push(engine);
    }

    pub(crate) fn ticks(&self) -> Ticks {
        self.ticks.clone()
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread runs nothing that panics; if it did, there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

fn lock(engines: &Mutex<Vec<Engine>>) -> std::sync::MutexGuard<'_, Vec<Engine>> {
    engines.lock().unwrap_or_else(PoisonError::into_inner)
}
