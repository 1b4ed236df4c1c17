//! Connections of one link: counted, and made in bounded time.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower_service::Service;

use crate::resolve::Judged;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A connection was not there in time; found again by [`crate::failure`] in the chain of causes.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {0:?}")]
pub(crate) struct ConnectTimeout(Duration);

/// Makes connections, each within the time, no more at once than allowed.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) inner: HttpsConnector<HttpConnector<Judged>>,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) within: Duration,
}

impl Service<Uri> for Connector {
    type Response = Counted;
    type Error = Cause;
    type Future = Pin<Box<dyn Future<Output = Result<Counted, Cause>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let Self { mut inner, slots, within } = self.clone();
        let connect = async move {
            let slot = slots.acquire_owned().await.expect("the semaphore is never closed");
            let stream = inner.call(destination).await?;
            Ok(Counted { stream, _slot: slot })
        };
        Box::pin(async move {
            tokio::time::timeout(within, connect).await.unwrap_or_else(|_| Err(ConnectTimeout(within).into()))
        })
    }
}

/// A connection that gives its slot back when it ends.
pub(crate) struct Counted {
    stream: Stream,
    _slot: OwnedSemaphorePermit,
}

impl Counted {
    fn stream(self: Pin<&mut Self>) -> Pin<&mut Stream> {
        Pin::new(&mut self.get_mut().stream)
    }
}

impl Connection for Counted {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl Read for Counted {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl Write for Counted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, pieces)
    }
}
