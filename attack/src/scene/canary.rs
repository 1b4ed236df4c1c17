//! HTTP servers that count who comes: what an actor must not reach.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A server on loopback, on both kinds of addresses where the machine has both.
pub(crate) struct Canary {
    /// Its port.
    pub(crate) port: u16,
    visits: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Canary {
    /// One that answers with `text`.
    pub(crate) async fn start(text: &str) -> anyhow::Result<Self> {
        let length = text.len();
        Self::answering(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
        ))
        .await
    }

    /// One that answers each request, one a connection, with these bytes.
    pub(crate) async fn answering(answer: String) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port")?;
        let port = listener.local_addr().context("it is bound")?.port();
        let (visits, answer) = (Arc::default(), Arc::<str>::from(answer));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::clone(&visits), Arc::clone(&answer)));
        // A machine without IPv6 has nothing to be reached there.
        if let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            tasks.spawn(serve(listener, Arc::clone(&visits), answer));
        }
        Ok(Self { port, visits, _tasks: tasks })
    }

    /// How many connections there were.
    pub(crate) fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

/// One that sends everybody on to `url`.
pub(crate) async fn redirecting(url: String) -> anyhow::Result<Canary> {
    let head = format!(
        "HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{url}",
        url.len()
    );
    Canary::answering(head).await
}

async fn serve(listener: TcpListener, visits: Arc<AtomicUsize>, answer: Arc<str>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        visits.fetch_add(1, Ordering::SeqCst);
        connections.spawn(one(stream, Arc::clone(&answer)));
    }
}

async fn one(mut stream: TcpStream, answer: Arc<str>) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 64 * 1024 {
        match stream.read_buf(&mut request).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    // Whoever went away has no use for the answer.
    let _gone = stream.write_all(answer.as_bytes()).await;
}
