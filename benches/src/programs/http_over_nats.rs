//! The limit of HTTP over the lattice: `lattice-bench http-over-nats ADDRESS URL SUBJECT` answers each request with what one NATS request
//! on SUBJECT brings back, with hyper and async-nats and nothing else.

use std::convert::Infallible;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};

use super::server::serve;

pub(super) async fn run(args: &[String]) -> anyhow::Result<Infallible> {
    let [address, url, subject] = args else { bail!("three arguments are needed") };
    let client =
        async_nats::connect(url.as_str()).await.with_context(|| format!("cannot connect to {url}"))?;
    let subject = subject.clone();
    serve(address, move |_| {
        let (client, subject) = (client.clone(), subject.clone());
        async move { forward(&client, subject).await }
    })
    .await
}

async fn forward(client: &async_nats::Client, subject: String) -> Response<Full<Bytes>> {
    match client.request(subject, Bytes::new()).await {
        Ok(answer) => Response::new(Full::new(answer.payload)),
        Err(error) => {
            let mut response = Response::new(Full::new(Bytes::from(error.to_string())));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
    }
}
