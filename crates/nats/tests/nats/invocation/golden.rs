//! The bytes of each kind of message.

use std::{collections::BTreeSet, sync::Arc};

use lattice_core::{CallError, CallTo, ErrorCode, Hop, InvocationId};
use lattice_nats::{Called, Outbound, Received, Version};
use tokio::sync::Semaphore;

use super::{Monitor, call, caller, echo_stream, greet, pattern, serving, w};
use crate::{host, server};

/// One line for a message: subject, reply, header, length of the body; what is random or of the clock is named.
fn show(message: &lattice_nats::Message) -> String {
    let tame = |subject: &str| {
        let mut tokens: Vec<&str> = subject.split('.').collect();
        if tokens.get(1) == Some(&"back") {
            tokens[5] = "{connection}";
            tokens[6] = "{call}";
        }
        tokens.join(".").replace(host('A').as_str(), "{host}")
    };
    let reply = message.reply.as_ref().map_or(String::new(), |reply| format!(" reply: {}", tame(reply)));
    let header: Vec<String> = w(message)
        .split(' ')
        .enumerate()
        .map(|(n, token)| if n > 2 && token.starts_with('t') { "t{left}".into() } else { token.to_owned() })
        .collect();
    let header = header.join(" ").replace(host('A').as_str(), "{host}");
    format!("{}{reply}\n  W: {header}\n  {} bytes", tame(&message.subject), message.payload.len())
}

/// Which kinds were seen, by whom they were written.
#[derive(Default)]
struct Firsts(BTreeSet<(String, String)>);

impl Firsts {
    fn is_first(&mut self, message: &lattice_nats::Message) -> bool {
        let writer = message.subject.split('.').nth(3).unwrap_or_default().to_owned();
        self.0.insert((w(message).split(' ').nth(1).unwrap_or_default().to_owned(), writer))
    }
}

/// Echoes `hello` when let, refuses everything else.
async fn answer(request: Received, gate: Arc<Semaphore>) -> Result<Outbound, CallError> {
    if &*request.function != "hello" {
        return Err(CallError::new(Hop::Host(host('A')), ErrorCode::Overloaded, "full").not_run());
    }
    if !request.body.is_whole() {
        let _let = gate.acquire().await;
    }
    echo_stream(request).await
}

#[tokio::test]
async fn each_kind_as_it_stands_on_the_wire() {
    let server = server().await;
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let _callee = serving(&server, 'A', move |request| answer(request, Arc::clone(&opened))).await;
    let calls = caller(&server).await;
    let mut monitor = Monitor::new(&server).await;
    let mut shown = Vec::new();
    let with_id = |bits| lattice_contracts::CallContext { id: InvocationId::from_bits(bits), ..call() };

    let small = lattice_contracts::CallContext { depth: 1, ..with_id(1) };
    let version = Version { number: 7, writer: "NAAQ".to_owned() };
    let called = Called { link_version: Some(version), ..greet() };
    calls.call(&small, CallTo::Host(host('A')), called, Outbound::Whole("hello".into())).await.unwrap();
    shown.extend(monitor.messages().await.iter().map(show));
    let refused = Called { function: "other".into(), ..greet() };
    calls.call(&with_id(2), CallTo::Anyone, refused, Outbound::Whole("hello".into())).await.unwrap_err();
    shown.extend(monitor.messages().await.iter().map(show));

    // One that streams both ways, waits more than a second before, and is left in the middle.
    let long = with_id(3);
    let asking = calls.call(&long, CallTo::Anyone, greet(), Outbound::Whole(pattern(0, 1 << 20)));
    let (mut firsts, mut heard) = (Firsts::default(), Vec::new());
    let waiting = async {
        // The callee's, which names its subject, and then the caller's.
        for _ in 0..2 {
            heard.push(monitor.next("alive").await);
        }
        gate.add_permits(1);
    };
    let (reply, ()) = tokio::join!(asking, waiting);
    let mut reply = reply.unwrap();
    let mut read = 0;
    while read < 512 * 1024 {
        read += reply.next().await.unwrap().unwrap().len();
    }
    drop(reply);
    // Whatever was said before the cancelling, and that.
    let cancelled = async {
        while !heard.iter().any(|message| w(message).contains(" cancel ")) {
            heard.extend(monitor.messages().await);
        }
    };
    tokio::time::timeout(crate::LONG, cancelled).await.expect("the call is cancelled");
    shown.extend(heard.iter().filter(|message| firsts.is_first(message)).map(show));
    shown.sort();
    insta::assert_snapshot!(shown.join("\n"));
}
