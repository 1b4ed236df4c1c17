//! Two actors on two hosts that call each other in a circle: it ends, at its deadline or at its depth, and leaves nothing.

use std::time::{Duration, Instant};

use futures::future::join_all;
use lattice_control_interface::{CallComponentCommand, CallComponentReply};
use lattice_core::{ActorId, ErrorCode, HostId, State};
use lattice_testkit::{Host, until};
use lattice_tests::Stage;

/// How long a call may take that shall end at its deadline.
const PATIENCE: Duration = Duration::from_millis(1500);
/// What may be missing of it: times travel in whole milliseconds.
const ROUNDED: Duration = Duration::from_millis(10);
/// What may be added to that: the callee's and the caller's grace, and what a busy machine takes.
const GRACE: Duration = Duration::from_secs(2);

/// A component whose `go(left)` calls `go(left - 1)` of whoever is linked and adds one, until nothing is left.
const ROUND: &str = r#"(component
    (import "demo:round/trip@0.1.0" (instance $next
        (export "go" (func (param "left" u32) (result u32)))))
    (core func $next (canon lower (func $next "go")))
    (core module $m
        (import "next" "go" (func $next (param i32) (result i32)))
        (func (export "go") (param i32) (result i32)
            (if (result i32) (i32.eqz (local.get 0))
                (then (i32.const 0))
                (else (i32.add (i32.const 1) (call $next (i32.sub (local.get 0) (i32.const 1))))))))
    (core instance $i (instantiate $m (with "next" (instance (export "go" (func $next))))))
    (func $go (param "left" u32) (result u32) (canon lift (core func $i "go")))
    (instance $trip (export "go" (func $go)))
    (export "demo:round/trip@0.1.0" (instance $trip)))"#;

/// `ping` on one host and `pong` on another, each linked to the other.
struct Circle {
    stage: Stage,
    _hosts: [Host; 2],
    ids: [HostId; 2],
}

impl Circle {
    async fn set(concurrency: u32) -> Self {
        let stage = Stage::set().await;
        let (one, one_id) = stage.host(&[]).await;
        let (two, two_id) = stage.host(&[]).await;
        let wasm = wat::parse_str(ROUND).unwrap();
        let image = stage.signer.signed("round_s.wasm", &wasm, &lattice_claims::SignActor::default());
        stage.link("ping", "pong", "demo:round", &[]).await;
        stage.link("pong", "ping", "demo:round", &[]).await;
        stage.start_actor(&one_id, "ping", &image, concurrency).await.unwrap();
        stage.start_actor(&two_id, "pong", &image, concurrency).await.unwrap();
        for id in [&one_id, &two_id] {
            stage.until_link(id, "ping", "pong", |state| *state == State::Ready).await;
            stage.until_link(id, "pong", "ping", |state| *state == State::Ready).await;
        }
        Self { stage, _hosts: [one, two], ids: [one_id, two_id] }
    }

    /// Calls `ping`, which goes on for `left` more calls.
    async fn go(&self, left: u32) -> CallComponentReply {
        let command = CallComponentCommand {
            component_id: ActorId::new("ping").unwrap(),
            function: Some("demo:round/trip.go".to_owned()),
            args: vec![left.to_string()],
            http: None,
            timeout_ms: Some(u64::try_from(PATIENCE.as_millis()).unwrap()),
        };
        self.stage.client.call_component(&self.ids[0], &command).await.unwrap()
    }

    /// How many calls it took to come back.
    async fn came_back(&self, left: u32) -> Option<String> {
        self.go(left).await.result
    }

    /// No call is under way or waits, on either host.
    async fn until_idle(&self) {
        self.stage.until_idle(&self.ids[0], "ping").await;
        self.stage.until_idle(&self.ids[1], "pong").await;
    }
}

#[tokio::test]
async fn with_one_permit_each_it_ends_at_its_deadline_and_both_serve_again() {
    let circle = Circle::set(1).await;
    let there = async || (circle.came_back(1).await? == "1").then_some(());
    until("the other host answers", Duration::from_secs(10), there).await.unwrap();
    for round in 0..3 {
        // `pong` calls `ping` back, whose only permit waits for `pong`. More calls wait behind it.
        let began = Instant::now();
        let replies = join_all((0..3).map(|_| circle.go(2))).await;
        let took = began.elapsed();
        assert!(took + ROUNDED >= PATIENCE && took < PATIENCE + GRACE, "round {round}: {took:?}");
        for reply in replies {
            let error = reply.error.unwrap_or_else(|| panic!("round {round}: {:?} came back", reply.result));
            assert_eq!(error.code, ErrorCode::Deadline, "round {round}: {error:?}");
            assert_eq!(error.hop, "actor ping");
        }
        circle.until_idle().await;
        assert_eq!(circle.came_back(0).await.as_deref(), Some("0"), "round {round}");
        assert_eq!(circle.came_back(1).await.as_deref(), Some("1"), "round {round}");
    }
}

#[tokio::test]
async fn with_permits_enough_it_goes_round_and_ends_at_its_depth() {
    let circle = Circle::set(20).await;
    let there = async || (circle.came_back(1).await? == "1").then_some(());
    until("the other host answers", Duration::from_secs(10), there).await.unwrap();
    assert_eq!(circle.came_back(16).await.as_deref(), Some("16"), "as deep as calls may nest");
    let error = circle.go(17).await.error.unwrap();
    assert_eq!(error.code, ErrorCode::Trap);
    assert!(error.reason.contains("denied: calls nest deeper than 16"), "{error:?}");
    circle.until_idle().await;
    assert_eq!(circle.came_back(1).await.as_deref(), Some("1"));
}
