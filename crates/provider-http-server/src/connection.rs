//! One connection: serves it until it ends, drains, falls silent, or overstays every deadline.

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use lattice_core::{ErrorCode, innermost_cause};
use tokio::{net::TcpStream, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Limits,
    serve::{Door, View, serve},
};

/// After a deadline, for an error to be written or a polite goodbye to be read, before the connection is cut.
const GRACE: Duration = Duration::from_secs(1);
/// How often at least a connection is looked at, so that an overdue exchange is cut not long after.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How many header fields hyper takes when it is told nothing. Told a number, be it the same, it makes room for that many
/// anew with every request.
const HYPER_HEADERS_MAX: usize = 100;
const PING_EVERY: Duration = Duration::from_secs(20);

/// Runs what hyper spawns for HTTP/2 streams under the listener's tracker, so that nothing outlives it.
#[derive(Clone)]
pub(crate) struct Tracked(pub(crate) TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// The protocol settings that all connections of a listener share.
pub(crate) fn protocol(limits: &Limits, tasks: TaskTracker) -> Builder<Tracked> {
    let mut builder = Builder::new(Tracked(tasks));
    let header_bytes = usize::try_from(limits.header_bytes_max).unwrap_or(usize::MAX);
    // No header timer of hyper's: it would be made anew for every request. `Pulse` bounds the wait for a whole head.
    builder.http1().header_read_timeout(None).max_buf_size(header_bytes);
    if limits.headers_max != HYPER_HEADERS_MAX {
        builder.http1().max_headers(limits.headers_max);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(PING_EVERY))
        .max_header_list_size(limits.header_bytes_max)
        .max_concurrent_streams(limits.streams_max);
    builder
}

/// How a connection is told to end.
#[derive(Clone)]
pub(crate) struct Ends {
    /// Finish what is being served, take nothing new.
    pub(crate) drain: CancellationToken,
    /// End at once.
    pub(crate) kill: CancellationToken,
}

enum Order {
    Drain,
    Kill,
}

impl Ends {
    /// Waits for the next order; `draining` once that one has come.
    async fn order(&self, draining: bool) -> Order {
        tokio::select! {
            biased;
            () = self.kill.cancelled() => Order::Kill,
            () = self.drain.cancelled(), if !draining => Order::Drain,
        }
    }
}

/// Serves one connection until it ends.
pub(crate) async fn drive(
    (stream, peer): (TcpStream, IpAddr),
    door: Arc<Door>,
    protocol: Arc<Builder<Tracked>>,
    idle: Duration,
    ends: Ends,
) {
    let line = Arc::new(Line { view: Mutex::new(door.view()), door, peer, pulse: Pulse::new() });
    let service = service_fn(|request| {
        let exchange = Exchange::begin(&line);
        async move { Ok::<_, Infallible>(serve(exchange, request).await) }
    });
    let connection = protocol.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let check = tokio::time::sleep(idle.min(LOOK_EVERY));
    tokio::pin!(check);
    let mut draining = false;
    // Polled only when an order has come: all connections of a listener wait for the same, and each look at it takes a
    // lock that they share.
    let mut orders = FuturesUnordered::new();
    orders.push(ends.order(draining));
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                    line.tell_unreadable(&*error);
                }
                return;
            }
            order = orders.next() => match order {
                Some(Order::Kill) | None => return,
                Some(Order::Drain) => {
                    orders.push(ends.order(true));
                    if std::mem::replace(&mut draining, true) {
                        continue;
                    }
                    connection.as_mut().graceful_shutdown();
                    // A head that is only half there is not waited for.
                    check.as_mut().reset(Instant::now() + GRACE);
                }
            },
            () = &mut check => match line.pulse.verdict(idle) {
                Verdict::LookAgain(at) => check.as_mut().reset(at),
                Verdict::Silent if !draining => {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                    check.as_mut().reset(Instant::now() + GRACE);
                }
                Verdict::Silent | Verdict::Overdue => return,
            },
        }
    }
}

/// What the exchanges of one connection share.
struct Line {
    door: Arc<Door>,
    /// The routes, as they were at the last exchange.
    view: Mutex<Arc<View>>,
    /// The client's address.
    peer: IpAddr,
    pulse: Pulse,
}

impl Line {
    /// Of heads that hyper itself does not read, and answers with a bare status, nobody else would hear.
    fn tell_unreadable(&self, error: &(dyn std::error::Error + 'static)) {
        let Some(error) = error.downcast_ref::<hyper::Error>() else { return };
        let code = match (error.is_parse_too_large(), error.is_parse()) {
            (true, _) => ErrorCode::TooLarge,
            (false, true) => ErrorCode::Protocol,
            (false, false) => return,
        };
        self.door.tell_refused(self.peer, code, innermost_cause(error));
    }
}

/// What a connection is doing: how many exchanges it serves, since when none, and until when the last one may take.
///
/// One timer for a connection instead of one for each request and body.
struct Pulse {
    born: Instant,
    serving: AtomicUsize,
    quiet_since_ms: AtomicU64,
    deadline_ms: AtomicU64,
}

enum Verdict {
    LookAgain(Instant),
    Silent,
    Overdue,
}

impl Pulse {
    fn new() -> Self {
        Self {
            born: Instant::now(),
            serving: AtomicUsize::new(0),
            quiet_since_ms: AtomicU64::new(0),
            deadline_ms: AtomicU64::new(0),
        }
    }

    fn ms(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }

    fn verdict(&self, idle: Duration) -> Verdict {
        let serving = self.serving.load(Ordering::Acquire) > 0;
        let since = |ms: &AtomicU64| self.born + Duration::from_millis(ms.load(Ordering::Relaxed));
        let (due, verdict) = match serving {
            true => (since(&self.deadline_ms) + GRACE, Verdict::Overdue),
            false => (since(&self.quiet_since_ms) + idle, Verdict::Silent),
        };
        let now = Instant::now();
        if due > now { Verdict::LookAgain(due.min(now + LOOK_EVERY)) } else { verdict }
    }
}

/// One request and its response, from the head of the one to the end of the other.
pub(crate) struct Exchange {
    line: Arc<Line>,
}

impl Exchange {
    fn begin(line: &Arc<Line>) -> Self {
        let pulse = &line.pulse;
        // Until the route says more, an exchange has a moment to be refused in.
        pulse.deadline_ms.fetch_max(pulse.ms(Instant::now()), Ordering::Relaxed);
        pulse.serving.fetch_add(1, Ordering::AcqRel);
        Self { line: line.clone() }
    }

    /// What the listener's connections share.
    pub(crate) fn door(&self) -> &Door {
        &self.line.door
    }

    /// Whom it is with.
    pub(crate) fn peer(&self) -> IpAddr {
        self.line.peer
    }

    /// The routes as they are now; they stay as they are for whoever holds them.
    pub(crate) fn view(&self) -> Arc<View> {
        let mut view = self.line.view.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.line.door.is_current(&view) {
            *view = self.line.door.view();
        }
        view.clone()
    }

    /// Until when it may take; past it, the connection is cut.
    pub(crate) fn may_take_until(&self, deadline: Instant) {
        let pulse = &self.line.pulse;
        pulse.deadline_ms.fetch_max(pulse.ms(deadline), Ordering::Relaxed);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let pulse = &self.line.pulse;
        pulse.quiet_since_ms.store(pulse.ms(Instant::now()), Ordering::Relaxed);
        pulse.serving.fetch_sub(1, Ordering::AcqRel);
    }
}
