//! A registry whose every answer the test decides.

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, task::JoinSet};

pub(crate) type Body = BoxBody<Bytes, std::convert::Infallible>;

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn authorization(&self) -> &str {
        self.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A running server; it stops when dropped.
pub(crate) struct Fake {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl Fake {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static) -> Fake {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Fake::serve(listener, answer)
    }

    pub(crate) fn serve(
        listener: TcpListener,
        answer: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static,
    ) -> Fake {
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (log, answer) = (asked.clone(), Arc::new(answer));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answer) = (log.clone(), answer.clone());
                connections.spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (log, answer) = (log.clone(), answer.clone());
                        async move {
                            let (head, body) = request.into_parts();
                            let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
                            let asked = Asked {
                                method: head.method.to_string(),
                                path: head.uri.path().to_owned(),
                                query: head.uri.query().unwrap_or_default().to_owned(),
                                headers: head.headers,
                                body,
                            };
                            log.lock().unwrap().push(asked.clone());
                            Ok::<_, std::convert::Infallible>(answer(&asked))
                        }
                    });
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    // A client that goes away is part of the tests.
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Fake { address, asked, _tasks: tasks }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)))
}

pub(crate) fn manifest_of(layer: &[u8]) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.wasm.config.v0+json", "digest": digest(b"{}"), "size": 2},
        "layers": [{"mediaType": "application/wasm", "digest": digest(layer), "size": layer.len()}],
    })
}

pub(crate) fn full(status: u16, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).boxed());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// A body that never ends.
pub(crate) fn endless() -> Response<Body> {
    let pieces = futures::stream::repeat(Bytes::from(vec![b' '; 64 * 1024]));
    let frames = pieces.map(|piece| Ok(hyper::body::Frame::data(piece)));
    Response::new(BodyExt::boxed(StreamBody::new(frames)))
}

/// A body that never begins.
pub(crate) fn silent() -> Response<Body> {
    let nothing = futures::stream::pending::<Result<hyper::body::Frame<Bytes>, std::convert::Infallible>>();
    Response::new(BodyExt::boxed(StreamBody::new(nothing)))
}

/// Answers by path, 404 for the rest.
pub(crate) fn by_path(pages: Vec<(String, Bytes)>) -> impl Fn(&Asked) -> Response<Body> + Send + Sync {
    let pages: HashMap<String, Bytes> = pages.into_iter().collect();
    move |asked| match pages.get(&asked.path) {
        Some(page) => full(200, page.clone()),
        None => full(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#),
    }
}

/// An honest registry with one image, `a:1`.
pub(crate) fn honest(layer: &[u8]) -> impl Fn(&Asked) -> Response<Body> + Send + Sync {
    let manifest = manifest_of(layer).to_string();
    by_path(vec![
        (format!("/v2/a/manifests/{}", digest(manifest.as_bytes())), Bytes::from(manifest.clone())),
        ("/v2/a/manifests/1".to_owned(), Bytes::from(manifest)),
        (format!("/v2/a/blobs/{}", digest(layer)), Bytes::copy_from_slice(layer)),
    ])
}
