//! A cable between a host and its NATS server, which a scenario can cut while everybody else stays connected.

use std::net::Ipv4Addr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Forwards connections to a NATS server on this machine. Gone when dropped, and what goes through it with it.
pub struct Cable {
    port: u16,
    whole: watch::Sender<bool>,
    _forwarding: JoinSet<()>,
}

impl Cable {
    /// A cable to the server on `port`.
    ///
    /// # Panics
    /// If the system has no port left.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let own = listener.local_addr().expect("it is bound").port();
        let (whole, is_whole) = watch::channel(true);
        let mut forwarding = JoinSet::new();
        forwarding.spawn(accept(listener, port, is_whole));
        Self { port: own, whole, _forwarding: forwarding }
    }

    /// The server's URL at this end of the cable.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Cuts it: connections end, new ones come to nothing.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Mends it.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn accept(listener: TcpListener, port: u16, whole: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if *whole.borrow() {
            connections.spawn(forward(near, port, whole.clone()));
        }
    }
}

async fn forward(mut near: TcpStream, port: u16, mut whole: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    tokio::select! {
        // Either end may close it.
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = whole.wait_for(|whole| !whole) => {}
    }
}
