//! Processes whose clocks are an hour wrong: calls, facts and leases do not mind.

use std::time::{Duration, Instant};

use async_nats::jetstream::kv;
use lattice_core::{CallTo, ErrorCode, HostId, LatticeName};
use lattice_nats::{ConnectOptions, Connection, EventPublisher, FactStore, Outbound, Received, WallClock};
use lattice_testkit::NatsServer;
use serde_json::Value;

use crate::{
    LONG, host,
    invocation::{Monitor, ask_as, call_within, caller_on, echo, serving_on, w},
    join, lattice, server,
};

const HOUR: i32 = 3600;
/// What ends at its deadline may come so much later: the graces of both sides, and what a busy machine takes.
const GRACE: Duration = Duration::from_secs(2);

/// A connection of a process whose clock is wrong.
async fn join_at(server: &NatsServer, seconds_off: i32) -> Connection {
    let options = ConnectOptions {
        wall_clock: WallClock::off_by(seconds_off),
        ..ConnectOptions::to(&server.url()).named("test")
    };
    Connection::connect(options, LONG).await.unwrap()
}

/// Answers at once what it was sent, but `wait` only after half a minute.
async fn answer(request: Received) -> Result<Outbound, lattice_core::CallError> {
    let left = request.call.time_left();
    assert!(left > Duration::ZERO && left < LONG, "what is left here: {left:?}");
    let body = request.body.whole(usize::MAX).await?;
    if body == "wait" {
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    Ok(Outbound::Whole(body))
}

#[tokio::test]
async fn deadlines_hold_between_clocks_an_hour_apart() {
    let server = server().await;
    for (here, there) in [(HOUR, -HOUR), (-HOUR, HOUR), (0, HOUR), (0, -HOUR)] {
        let callee = serving_on(join_at(&server, there).await, 'A', answer).await;
        let calls = caller_on(&join_at(&server, here).await).await;
        for to in [CallTo::Host(host('A')), CallTo::Anyone] {
            let quick = ask_as(&calls, &call_within(Duration::from_secs(5)), to.clone(), "now").await;
            assert_eq!(quick.unwrap(), "now", "{here} {there}");
            let (began, patience) = (Instant::now(), Duration::from_millis(400));
            let late = ask_as(&calls, &call_within(patience), to, "wait").await.unwrap_err();
            assert_eq!(late.code, ErrorCode::Deadline, "{here} {there}: {late}");
            let took = began.elapsed();
            assert!(took >= patience && took < patience + GRACE, "{here} {there}: {took:?}");
        }
        lattice_testkit::until("all calls are over", LONG, async || {
            (calls.counts().open == 0 && callee.calls.counts().open == 0).then_some(())
        })
        .await
        .unwrap();
        callee.calls.close().await;
    }
}

#[tokio::test]
async fn the_wire_carries_what_is_left_and_no_time_of_day() {
    let server = server().await;
    let _callee = serving_on(join_at(&server, -HOUR).await, 'A', echo).await;
    let calls = caller_on(&join_at(&server, HOUR).await).await;
    let mut monitor = Monitor::new(&server).await;
    ask_as(&calls, &call_within(Duration::from_secs(5)), CallTo::Host(host('A')), "x").await.unwrap();
    let messages = monitor.messages().await;
    assert_eq!(messages.len(), 2);
    let header = w(&messages[0]);
    let left = header.split(' ').find_map(|field| field.strip_prefix('t')).unwrap();
    let left: u64 = left.parse().unwrap();
    assert!((4000..=5000).contains(&left), "{header}");
    for message in &messages {
        let headers = message.headers.as_ref().unwrap();
        assert_eq!(headers.iter().count(), 1, "{headers:?}");
        // A time of day would be a far greater number.
        let fields = w(message);
        let numbers = fields.split(' ').skip(3).filter_map(|field| field.get(1..)?.parse::<u64>().ok());
        assert!(numbers.max().unwrap_or_default() < 1_000_000, "{fields}");
    }
}

fn name(text: &str) -> lattice_core::ConfigName {
    lattice_core::ConfigName::new(text).unwrap()
}

fn values(text: &str) -> std::collections::BTreeMap<String, String> {
    [("v".to_owned(), text.to_owned())].into()
}

async fn open_at(server: &NatsServer, seconds_off: i32, letter: char) -> FactStore {
    FactStore::open(&join_at(server, seconds_off).await, &lattice(), host(letter)).await.unwrap()
}

async fn until_config(store: &FactStore, config: &str, wanted: Option<&str>) {
    let is_so = async || (store.snapshot().config(&name(config)) == wanted.map(values)).then_some(());
    lattice_testkit::until(&format!("{config} is {wanted:?}"), LONG, is_so).await.unwrap();
}

#[tokio::test]
async fn the_last_change_counts_whatever_its_writer_takes_for_the_time() {
    let server = server().await;
    let (ahead, behind) = (open_at(&server, HOUR, 'A').await, open_at(&server, -HOUR, 'B').await);
    for (round, [first, second]) in [[&ahead, &behind], [&behind, &ahead]].into_iter().enumerate() {
        let (changed, deleted) = (format!("changed{round}"), format!("deleted{round}"));
        first.put_config(&name(&changed), &values("old")).await.unwrap();
        first.put_config(&name(&deleted), &values("old")).await.unwrap();
        assert!(second.wait_current(LONG).await);
        second.put_config(&name(&changed), &values("new")).await.unwrap();
        second.delete_config(&name(&deleted)).await.unwrap();
        for store in [&ahead, &behind] {
            until_config(store, &changed, Some("new")).await;
            until_config(store, &deleted, None).await;
        }
    }
    // It only looks odd to people.
    let facts = ahead.snapshot();
    let at = |config: &str| {
        let key = lattice_core::FactKey::Config(name(config));
        facts.fact(&key).unwrap().at.clone()
    };
    assert!(at("changed0") < at("changed1"), "written by a clock behind, and one ahead");
}

/// The bucket is lost; its keys do not expire by themselves, and a dead host holds the lease. Who knows its facts has a wrong
/// clock, as the dead one had.
#[tokio::test]
async fn a_lost_bucket_comes_back_and_a_dead_host_s_lease_ends_between_clocks_an_hour_apart() {
    for off in [HOUR, -HOUR] {
        let server = server().await;
        let other = join(&server).await;
        let (store, second) = (open_at(&server, off, 'A').await, open_at(&server, -off, 'B').await);
        store.put_config(&name("kept"), &values("1")).await.unwrap();
        store.put_config(&name("gone"), &values("1")).await.unwrap();
        assert!(second.wait_current(LONG).await);
        second.delete_config(&name("gone")).await.unwrap();
        assert!(store.wait_current(LONG).await);
        other.jetstream().delete_key_value("LATTICE_default").await.unwrap();
        let config = kv::Config { bucket: "LATTICE_default".to_owned(), ..kv::Config::default() };
        let raw = other.jetstream().create_key_value(config).await.unwrap();
        let dead: HostId = host('Z');
        raw.put("lease.merge", format!(r#"{{"holder":"{dead}"}}"#).into()).await.unwrap();
        let lost = Instant::now();
        let back = async || {
            let (kept, gone) =
                (raw.get("config.kept").await.unwrap()?, raw.get("config.gone").await.unwrap()?);
            Some((kept, gone))
        };
        let (kept, gone) = lattice_testkit::until("the facts are back", LONG, back).await.unwrap();
        // Noticed within 4 s, and the lease lasts 5 s by the clock of who waits.
        assert!(lost.elapsed() < Duration::from_secs(12), "{:?}", lost.elapsed());
        let deleted = |fact: &[u8]| serde_json::from_slice::<Value>(fact).unwrap()["deleted"] == true;
        assert!(!deleted(&kept) && deleted(&gone));
        for store in [&store, &second] {
            until_config(store, "kept", Some("1")).await;
            until_config(store, "gone", None).await;
        }
    }
}

#[tokio::test]
async fn events_and_facts_are_dated_by_the_clock_of_their_writer() {
    let server = server().await;
    let conn = join_at(&server, HOUR).await;
    let listener = join(&server).await;
    let subject = "wasmbus.evt.default.>".to_owned();
    let mut heard = listener.subscribe_in_force([(subject, None)], LONG).await.unwrap();
    let events = EventPublisher::new(&conn, &LatticeName::default(), &host('A'));
    events.publish(lattice_core::EventName::HostHeartbeat, serde_json::json!({}));
    let event = tokio::time::timeout(LONG, heard.next()).await.unwrap().unwrap();
    let event: Value = serde_json::from_slice(&event.payload).unwrap();
    let half = WallClock::off_by(HOUR / 2).now_rfc3339();
    assert!(event["time"].as_str().unwrap() > half.as_str(), "{event}");
}
