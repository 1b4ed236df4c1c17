//! The limit of HTTP: `bench-hyper ADDRESS` answers every request with a fixed text, with hyper and nothing else.

use std::{convert::Infallible, net::SocketAddr, process::ExitCode};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

#[tokio::main]
async fn main() -> ExitCode {
    let address = std::env::args().nth(1).and_then(|address| address.parse::<SocketAddr>().ok());
    let Some(address) = address.filter(|address| address.ip().is_loopback()) else {
        eprintln!("usage: bench-hyper 127.0.0.1:PORT");
        return ExitCode::FAILURE;
    };
    match serve(address).await {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("error: cannot serve at {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: SocketAddr) -> std::io::Result<Infallible> {
    let listener = TcpListener::bind(address).await?;
    println!("ready");
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        connections.spawn(async move {
            let answer = service_fn(async |_: hyper::Request<Incoming>| {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
                    b"Hello from the lattice!\n",
                ))))
            });
            // A client that hangs up is the usual end.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
