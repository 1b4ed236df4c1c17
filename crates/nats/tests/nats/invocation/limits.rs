//! The server's `max_payload`, to the byte.

use lattice_core::CallTo;
use lattice_nats::Outbound;

use super::{Monitor, ask, call, caller, echo, greet, pattern, serving, w};
use crate::{LONG, server_with};

/// Small, so that it is the server's limit that cuts.
const LIMIT: usize = 8192;

/// What the server counts of a message: its header and its body.
fn size(message: &lattice_nats::Message) -> usize {
    "NATS/1.0\r\nW: \r\n\r\n".len() + w(message).len() + message.payload.len()
}

#[tokio::test]
async fn what_fits_to_the_byte_is_one_message_and_one_more_byte_is_two() {
    let server = server_with(&format!("max_payload: {LIMIT}")).await;
    let _callee = serving(&server, 'A', echo).await;
    let calls = caller(&server).await;
    let mut monitor = Monitor::new(&server).await;
    let (mut whole_requests, mut whole_replies) = (Vec::new(), Vec::new());
    for bytes in LIMIT - 160..=LIMIT + 1 {
        let body = pattern(0, bytes);
        assert_eq!(ask(&calls, CallTo::Anyone, body.clone()).await.unwrap(), body);
        for message in monitor.messages().await {
            assert!(size(&message) <= LIMIT, "{}", w(&message));
            let whole = w(&message).ends_with(" f") && message.payload.len() == bytes;
            match (whole, w(&message).split(' ').nth(1)) {
                (true, Some("call")) => whole_requests.push(size(&message)),
                (true, Some("reply")) => whole_replies.push(size(&message)),
                _ => {}
            }
        }
    }
    // Every size up to the limit came as one, the limit itself included.
    for whole in [whole_requests, whole_replies] {
        assert_eq!(whole.last(), Some(&LIMIT));
        assert!(whole.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{whole:?}");
    }
}

#[tokio::test]
async fn a_server_that_takes_less_after_a_restart_gets_smaller_pieces() {
    let mut server = server_with("").await;
    let _callee = serving(&server, 'A', echo).await;
    let calls = caller(&server).await;
    let body = pattern(0, 600_000);
    assert_eq!(ask(&calls, CallTo::Anyone, body.clone()).await.unwrap(), body);
    for limit in [20_000, 2_000] {
        server.configure(format!("max_payload: {limit}"));
        server.restart().await.unwrap();
        let back = async || ask(&calls, CallTo::Anyone, "x").await.ok();
        lattice_testkit::until("calls arrive again", LONG, back).await.unwrap();
        assert_eq!(ask(&calls, CallTo::Anyone, body.clone()).await.unwrap(), body);
    }
    // So little that not even a header fits.
    server.configure("max_payload: 64");
    server.restart().await.unwrap();
    let refused = async || {
        let error =
            calls.call(&call(), CallTo::Anyone, greet(), Outbound::Whole("x".into())).await.unwrap_err();
        (error.code == lattice_core::ErrorCode::TooLarge).then_some(error)
    };
    let error = lattice_testkit::until("the call is refused", LONG, refused).await.unwrap();
    assert!(error.not_run && error.reason.contains("max_payload"), "{error}");
}
