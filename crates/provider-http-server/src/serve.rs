//! One request: finds its route, calls the actor, and turns what comes of it into a response.

use std::{
    net::IpAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming as Received;
use lattice_contracts::{
    Asker, CallContext, InvocationIds, Refused, Report,
    http::{Body, Incoming, remove_hop_by_hop, trace_of},
};
use lattice_core::{ActorId, CallError, Contract, EntityId, ErrorCode, Hop, InvocationId, LinkKey};
use tokio::time::{Duration, Instant};

use crate::{
    answer::Refusal,
    body::{Answer, Overrun, of_request},
    config::LinkConfig,
    connection::Exchange,
    request::{host, prepare},
    route::Routes,
    table::INTERFACE,
};

/// The callee keeps to the deadline itself and can say more about it; only one that does not is cut off here.
const CALLEE_GRACE: Duration = Duration::from_millis(500);

/// Where a request may go: one link, with all a call needs.
pub(crate) struct Route {
    pub(crate) key: LinkKey,
    pub(crate) actor: ActorId,
    pub(crate) callee: Arc<dyn Incoming>,
    pub(crate) config: LinkConfig,
}

/// What the connections of one listener share.
pub(crate) struct Door {
    routes: RwLock<Arc<Routes<Arc<Route>>>>,
    /// Counts changes of the routes.
    version: AtomicU64,
    ids: Arc<InvocationIds>,
    report: Arc<dyn Report>,
}

impl Door {
    pub(crate) fn new(ids: Arc<InvocationIds>, report: Arc<dyn Report>) -> Self {
        Self { routes: RwLock::default(), version: AtomicU64::new(0), ids, report }
    }

    /// Lets an operator see which client sends what is not taken.
    pub(crate) fn tell_refused(&self, client: IpAddr, code: ErrorCode, reason: String) {
        let interface = format!("{}/{INTERFACE}", Contract::http());
        self.report.refused(Refused { asker: Asker::Client(client), count: 1, code, interface, reason });
    }

    /// Puts other routes in place, in one step. Requests under way keep theirs.
    pub(crate) fn swap(&self, routes: Routes<Arc<Route>>) {
        let mut current = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(routes);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// The routes as they are now.
    pub(crate) fn view(&self) -> Arc<View> {
        let current = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that it is these routes' own.
        let version = self.version.load(Ordering::Acquire);
        Arc::new(View { version, routes: current.clone() })
    }

    /// True while `view` shows what [`Door::view`] would.
    pub(crate) fn is_current(&self, view: &View) -> bool {
        self.version.load(Ordering::Acquire) == view.version
    }
}

/// What one connection has seen of its listener's routes.
///
/// Each connection has one of its own: a count of users that all connections change with every request would travel
/// between the processors as often.
pub(crate) struct View {
    version: u64,
    routes: Arc<Routes<Arc<Route>>>,
}

/// Serves one request. Dropping the future, as hyper does when the client goes away, drops the call.
pub(crate) async fn serve(exchange: Exchange, request: Request<Received>) -> Response<Answer> {
    let version = request.version();
    let id = exchange.door().ids.next();
    let response = match answer(&exchange, id, request).await {
        Ok(response) => response,
        Err(refusal) => {
            if let Some(code) = refusal.by_rule {
                exchange.door().tell_refused(exchange.peer(), code, refusal.reason.clone());
            }
            refusal.into_response(id, version)
        }
    };
    response.map(|body| Answer::new(body, exchange))
}

async fn answer(
    exchange: &Exchange,
    id: InvocationId,
    request: Request<Received>,
) -> Result<Response<Body>, Refusal> {
    let (mut parts, body) = request.into_parts();
    let view = exchange.view();
    let route = find(&view, &parts, id)?;
    let limit = route.config.body_bytes_max;
    if body.size_hint().lower() > limit {
        return Err(Refusal::too_large(limit));
    }
    let deadline = Instant::now() + route.config.request_timeout;
    exchange.may_take_until(deadline);
    prepare(&mut parts);
    let trace = trace_of(&parts.headers);
    let (body, overrun) = of_request(body, limit);
    let call = CallContext {
        id,
        source: route.key.source.clone(),
        target: EntityId::from(route.actor.clone()),
        link: route.key.name.clone(),
        deadline,
        depth: 0,
        trace,
    };
    let handling = route.callee.handle(call, Request::from_parts(parts, body));
    let handled = match tokio::time::timeout_at(deadline + CALLEE_GRACE, handling).await {
        Ok(handled) => handled,
        Err(_late) => Err(late(route, id)),
    };
    match handled.and_then(|response| sound(route, response)) {
        Ok(response) => Ok(response),
        Err(error) => Err(refuse(route, id, error, overrun)),
    }
}

fn find<'a>(view: &'a View, parts: &http::request::Parts, id: InvocationId) -> Result<&'a Route, Refusal> {
    let host = host(parts)?;
    match view.routes.select(&host, parts.uri.path()) {
        Some(route) => Ok(route),
        None => {
            // At debug alone: strangers ask for what is not there as often as they like.
            tracing::debug!(
                invocation = %id,
                %host,
                path = parts.uri.path(),
                "no actor is linked for this host and path; link one: wash link put SERVER ACTOR wasi:http hostname={host} path=PATH"
            );
            Err(Refusal::no_route())
        }
    }
}

fn late(route: &Route, id: InvocationId) -> CallError {
    let reason =
        format!("invocation {id} was not answered within {} ms", route.config.request_timeout.as_millis());
    CallError::new(Hop::Actor(route.actor.clone()), ErrorCode::Deadline, reason)
}

/// A response that may be sent: no informational status, nothing that concerns a connection.
fn sound(route: &Route, mut response: Response<Body>) -> Result<Response<Body>, CallError> {
    if response.status().is_informational() {
        let reason = format!("{} answered with status {}", route.actor, response.status().as_u16());
        return Err(CallError::new(Hop::Actor(route.actor.clone()), ErrorCode::Protocol, reason));
    }
    remove_hop_by_hop(response.headers_mut());
    Ok(response)
}

fn refuse(route: &Route, id: InvocationId, error: CallError, overrun: Option<Overrun>) -> Refusal {
    // What an actor makes of a body that breaks off at the limit is the limit's doing.
    if overrun.is_some_and(|overrun| overrun.load(Ordering::Relaxed)) {
        return Refusal::too_large(route.config.body_bytes_max);
    }
    let CallError { hop, code, reason, .. } = &error;
    match code {
        // The client is told all of it, and these come in floods.
        ErrorCode::Overloaded | ErrorCode::TooLarge => {
            tracing::debug!(invocation = %id, actor = %route.actor, %hop, %code, reason, "request refused");
        }
        _ => {
            tracing::warn!(invocation = %id, actor = %route.actor, %hop, %code, reason, "request failed");
        }
    }
    let refusal = Refusal::call(error);
    if refusal.status == StatusCode::PAYLOAD_TOO_LARGE {
        Refusal { closes: true, ..refusal }
    } else {
        refusal
    }
}
