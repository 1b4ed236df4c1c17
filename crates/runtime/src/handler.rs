//! The two generations of HTTP handlers a component may export, and how each is called.

use std::{future::poll_fn, pin::Pin};

use tokio::sync::oneshot;
use wasmtime::{
    Store,
    component::{Instance, InstancePre},
};
use wasmtime_wasi_http::{
    WasiBody, WasiHttpView,
    p2::{
        bindings::{Proxy, ProxyIndices, http::types::Scheme},
        body::HyperOutgoingBody,
    },
    p3::{
        Request,
        bindings::{Service, ServiceIndices},
    },
};

use crate::{engine::EngineKind, guest::Guest};

/// What a guest answers: a response, or the name of its error.
pub(crate) type Head = Result<http::Response<HyperOutgoingBody>, String>;

/// Where a component's instances have their handler.
pub(crate) enum Handler {
    /// `wasi:http/incoming-handler@0.2`.
    Wasip2(ProxyIndices),
    /// `wasi:http/handler@0.3`.
    Wasip3(ServiceIndices),
}

/// An instance's handler.
pub(crate) enum Http {
    Wasip2(Proxy),
    Wasip3(Service),
}

impl Handler {
    pub(crate) fn new(kind: EngineKind, linked: &InstancePre<Guest>) -> wasmtime::Result<Self> {
        Ok(match kind {
            EngineKind::Main => Handler::Wasip2(ProxyIndices::new(linked)?),
            EngineKind::Wasip3 => Handler::Wasip3(ServiceIndices::new(linked)?),
        })
    }

    /// The handler of `instance`.
    pub(crate) fn of(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<Http> {
        Ok(match self {
            Handler::Wasip2(at) => Http::Wasip2(at.load(store, instance)?),
            Handler::Wasip3(at) => Http::Wasip3(at.load(store, instance)?),
        })
    }
}

impl Http {
    /// Lets the guest serve `request`; returns when it has ended, which may be long after it gave its `head`.
    pub(crate) async fn serve(
        &self,
        store: &mut Store<Guest>,
        request: http::Request<WasiBody>,
        head: oneshot::Sender<Head>,
    ) -> wasmtime::Result<()> {
        match self {
            Http::Wasip2(proxy) => {
                let mut http = store.data_mut().http();
                let request = http.new_incoming_request(Scheme::Http, request)?;
                let out = http.new_response_outparam_from_callback(move |answer| {
                    // Who waited may be gone.
                    let _ = head.send(answer.map_err(|code| format!("{code:?}")));
                })?;
                proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
            }
            Http::Wasip3(service) => serve_wasip3(service, store, request, head).await,
        }
    }
}

/// How reading a request's body ended.
type Read = Pin<Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>>;

async fn serve_wasip3(
    service: &Service,
    store: &mut Store<Guest>,
    request: http::Request<WasiBody>,
    head: oneshot::Sender<Head>,
) -> wasmtime::Result<()> {
    let served = store.run_concurrent(async |accessor| {
        let (request, read) = accessor.with(|mut store| {
            let (request, read) = Request::from_http(store.data_mut().http().hooks, request);
            (request, Box::pin(read) as Read)
        });
        let answer = match service.handle(accessor, request).await? {
            Ok(response) => Ok(accessor.with(|mut store| response.into_http(&mut store, read))?),
            Err(code) => Err(format!("{code:?}")),
        };
        // Who waited may be gone.
        let _ = head.send(answer);
        // The guest goes on with its body, and with whatever else it does, after it has answered.
        poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
        Ok(())
    });
    served.await?
}
