//! A sampled trace travels beside the call, in a header of its own; one that is not leaves nothing on the wire.

use std::sync::Arc;

use lattice_contracts::CallContext;
use lattice_core::{CallTo, TraceParent};
use lattice_nats::{HeaderMap, Outbound, Received};
use tokio::sync::OnceCell;

use super::{Monitor, ask_as, call, caller, echo, pattern, serving, w};
use crate::{host, join, server, server_with};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn sampled() -> CallContext {
    CallContext { trace: TraceParent::sampled(TRACE), ..call() }
}

/// Answers with the trace as the callee has it.
async fn tell_trace(request: Received) -> Result<Outbound, lattice_core::CallError> {
    let trace = request.call.trace.map(|trace| trace.to_string()).unwrap_or_default();
    Ok(Outbound::Whole(trace.into()))
}

/// The headers of a message, name and value.
fn headers(message: &lattice_nats::Message) -> Vec<(String, String)> {
    let headers = message.headers.iter().flat_map(HeaderMap::iter);
    let mut all: Vec<_> = headers
        .flat_map(|(name, values)| values.iter().map(|value| (name.to_string(), value.as_str().to_owned())))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_sampled_trace_is_one_header_of_the_call_and_none_of_the_reply() {
    let server = server().await;
    let _callee = serving(&server, 'A', tell_trace).await;
    let calls = caller(&server).await;
    let mut monitor = Monitor::new(&server).await;
    for to in [CallTo::Host(host('A')), CallTo::Anyone] {
        assert_eq!(ask_as(&calls, &sampled(), to.clone(), "x").await.unwrap(), TRACE);
        let messages = monitor.messages().await;
        assert_eq!(messages.len(), 2, "still one there and one back");
        let expected = [("W".to_owned(), w(&messages[0])), ("traceparent".to_owned(), TRACE.to_owned())];
        assert_eq!(headers(&messages[0]), expected);
        assert_eq!(headers(&messages[1]), [("W".to_owned(), w(&messages[1]))]);

        assert_eq!(ask_as(&calls, &call(), to, "x").await.unwrap(), "");
        for message in monitor.messages().await {
            assert_eq!(headers(&message), [("W".to_owned(), w(&message))]);
        }
    }
}

#[tokio::test]
async fn a_trace_that_is_not_sampled_or_does_not_read_is_none() {
    let server = server().await;
    let _callee = serving(&server, 'A', tell_trace).await;
    let conn = join(&server).await;
    for (number, (traces, told)) in [
        (&[TRACE][..], TRACE),
        (&[&TRACE.replace("-01", "-00")], ""),
        (&[TRACE, TRACE], ""),
        (&["nonsense"], ""),
        (&[""], ""),
    ]
    .into_iter()
    .enumerate()
    {
        let mut headers = HeaderMap::new();
        headers.insert("W", format!("1 call {number:032x} f"));
        for trace in traces {
            headers.append("traceparent", *trace);
        }
        let back = format!("wasmbus.back.default.greeter.web.{:016x}.{:016x}", 1, number + 1);
        let mut heard = conn.subscribe_in_force([(back.clone(), None)], crate::LONG).await.unwrap();
        let subject = format!("wasmbus.host.default.web.{}.greeter.demo:text/greet.hello", host('A'));
        let sent = conn.client().publish_with_reply_and_headers(subject, back, headers, "x".into());
        sent.await.unwrap();
        let reply = tokio::time::timeout(crate::LONG, heard.next()).await.unwrap().unwrap();
        assert_eq!(reply.payload, told, "{traces:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_handed_on_keeps_its_trace() {
    let server = server().await;
    let full = |request: Received| async move { request.hand_on(&host('B')).await };
    let _full = serving(&server, 'A', full).await;
    // It is in no queue group, so that the other one gets the call.
    let other = join(&server).await;
    let me = super::id(host('B').as_str());
    let free = lattice_nats::Calls::open(&other, &crate::lattice(), &me).await.unwrap();
    let told = Arc::new(OnceCell::new());
    let tells = Arc::clone(&told);
    let serve = super::By(move |request: Received| -> super::Answer {
        let tells = Arc::clone(&tells);
        Box::pin(async move {
            tells.set(request.handed_on).unwrap();
            tell_trace(request).await
        })
    });
    let _serving = free.serve(&host('B'), Arc::new(serve)).await.unwrap();
    let calls = caller(&server).await;
    assert_eq!(ask_as(&calls, &sampled(), CallTo::Anyone, "x").await.unwrap(), TRACE);
    assert_eq!(told.get(), Some(&true));
}

/// The broker takes no byte more than its `max_payload`, header lines among them.
#[tokio::test]
async fn a_trace_takes_its_room_from_the_first_piece() {
    let server = server_with("max_payload: 4096").await;
    let _callee = serving(&server, 'A', echo).await;
    let calls = caller(&server).await;
    for bytes in 3700..4200 {
        let sent = pattern(0, bytes);
        assert_eq!(ask_as(&calls, &sampled(), CallTo::Host(host('A')), sent.clone()).await.unwrap(), sent);
    }
}
