//! The limit of HTTP: `lattice-bench hyper ADDRESS` answers every request with a fixed text, with hyper and nothing else.

use std::{convert::Infallible, future::ready};

use anyhow::bail;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;

use super::server::serve;

pub(super) async fn run(args: &[String]) -> anyhow::Result<Infallible> {
    let [address] = args else { bail!("one argument is needed") };
    serve(address, |_| ready(Response::new(Full::new(Bytes::from_static(b"Hello from the lattice!\n")))))
        .await
}
