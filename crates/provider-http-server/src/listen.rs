//! One listener: takes its address as soon as it is free, accepts, and drains when it is told to go.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use lattice_core::State;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Limits,
    connection::{Ends, drive, protocol},
    serve::Door,
};

const BACKLOG: u32 = 1024;
/// Well within the second in which a freed port has to be bound again.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const _: () = assert!(RETRY_FIRST.as_millis() < 1000, "a port that becomes free is taken within a second");
const RETRY_MOST: Duration = Duration::from_secs(1);
/// While the process has no file descriptor left, accepting again at once would only spin.
const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);

/// The hold on a listener's task.
pub(crate) struct Listener {
    pub(crate) door: Arc<Door>,
    pub(crate) ends: Ends,
    /// Cancelled once the socket is closed and the address free.
    pub(crate) closed: CancellationToken,
    /// Cancelled once the last connection has ended.
    pub(crate) done: CancellationToken,
    /// Its connections, and what hyper spawns for them.
    pub(crate) connections: TaskTracker,
}

/// Told by a listener's task whenever its state changes.
pub(crate) type Tell = Arc<dyn Fn(State, Option<SocketAddr>) + Send + Sync>;

/// Binds `address`.
///
/// `SO_REUSEADDR` lets a restart take the port from connections that are still closing; never `SO_REUSEPORT`, with which
/// two processes would share a port without either knowing.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Why an address is not bound, and what mends it.
pub(crate) fn why_not_bound(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("address {address} in use; it is bound as soon as it is free")
        }
        io::ErrorKind::PermissionDenied => format!(
            "address {address} may not be bound: permission denied; choose a port above 1023 or allow low ports"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("address {address} is none of this machine's; choose one of its own, or 0.0.0.0")
        }
        _ => format!("address {address} cannot be bound: {error}"),
    }
}

/// The task of one listener: binds (unless `bound` is), accepts until it drains, and waits for its connections.
pub(crate) async fn run(
    address: SocketAddr,
    bound: Option<TcpListener>,
    listener: Arc<Listener>,
    limits: Limits,
    tell: Tell,
) {
    // However this ends, nobody waits for it in vain.
    let done = listener.done.clone().drop_guard();
    let closed = listener.closed.clone().drop_guard();
    let connections = &listener.connections;
    let bound = match bound {
        Some(bound) => Some(bound),
        None => bind_when_free(address, &listener.ends, &tell).await,
    };
    if let Some(bound) = bound {
        accept(bound, &listener, limits, &tell).await;
    }
    drop(closed);
    connections.close();
    connections.wait().await;
    drop(done);
}

async fn bind_when_free(address: SocketAddr, ends: &Ends, tell: &Tell) -> Option<TcpListener> {
    let mut delay = RETRY_FIRST;
    loop {
        tokio::select! {
            () = ends.drain.cancelled() => return None,
            () = ends.kill.cancelled() => return None,
            () = tokio::time::sleep(delay) => {}
        }
        let error = match bind(address) {
            Ok(bound) => {
                tell(State::Ready, bound.local_addr().ok());
                return Some(bound);
            }
            Err(error) => error,
        };
        tell(State::Failed(why_not_bound(address, &error)), None);
        delay = match error.kind() {
            io::ErrorKind::AddrInUse => RETRY_FIRST,
            _ => (delay * 2).min(RETRY_MOST),
        };
    }
}

async fn accept(bound: TcpListener, listener: &Listener, limits: Limits, tell: &Tell) {
    let connections = &listener.connections;
    let protocol = Arc::new(protocol(&limits, connections.clone()));
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let ends = &listener.ends;
    let mut struggling = false;
    loop {
        // Without a free slot nothing is accepted: further clients wait in the backlog.
        let next = async {
            let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
            (slot, bound.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            () = ends.drain.cancelled() => return,
            () = ends.kill.cancelled() => return,
            next = next => next,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, peer.ip().to_canonical()),
            Err(error) if is_of_the_client(&error) => continue,
            Err(error) => {
                struggling = true;
                tell(State::Degraded(format!("connections cannot be accepted: {error}")), None);
                tokio::time::sleep(AFTER_ACCEPT_ERROR).await;
                continue;
            }
        };
        if std::mem::take(&mut struggling) {
            tell(State::Ready, None);
        }
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it was served");
            continue;
        }
        let served =
            drive((stream, peer), listener.door.clone(), protocol.clone(), limits.idle_timeout, ends.clone());
        connections.spawn(async move {
            served.await;
            drop(slot);
        });
    }
}

/// The client went away before it was accepted: nothing is wrong here.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
