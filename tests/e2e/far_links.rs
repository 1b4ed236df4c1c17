//! Links whose ends run on different hosts: pending until both are there, changed under load, bad ones harmless.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use lattice_core::State;
use lattice_testkit::{free_port, until};
use lattice_tests::Stage;

#[tokio::test]
async fn a_link_waits_for_its_ends_and_becomes_ready_by_itself() {
    let stage = Stage::set().await;
    let (_front, front_id, address) = stage.front(&[]).await;
    let (_back, back_id) = stage.host(&[]).await;
    stage.link("http", "hello", "wasi:http", &[("address", &address)]).await;
    let nowhere = |state: &State| matches!(state, State::Pending(why) if why == "hello runs nowhere: wash start actor IMAGE hello");
    stage.until_link(&front_id, "http", "hello", nowhere).await;
    stage.start_actor(&back_id, "hello", &stage.signer.example("hello"), 10).await.unwrap();
    let came = Instant::now();
    stage.until_link(&front_id, "http", "hello", |state| *state == State::Ready).await;
    stage.until_link(&back_id, "http", "hello", |state| *state == State::Ready).await;
    assert!(came.elapsed() < Duration::from_secs(10), "{:?}", came.elapsed());
    let url = format!("http://{address}/");
    assert_eq!(stage.http.get(&url).await.unwrap().text(), "Hello from the lattice!\n");
    let said = stage.wash(&["get", "links"]).await;
    assert!(said.text.contains("prefer-local") && said.text.contains("ready"), "{}", said.text);
    // The actor's host goes: the link says so, and is ready again when another one has it.
    stage.client.stop_host(&back_id, None).await.unwrap();
    stage.until_link(&front_id, "http", "hello", nowhere).await;
    stage.start_actor(&front_id, "hello", &stage.signer.example("hello"), 10).await.unwrap();
    stage.until_link(&front_id, "http", "hello", |state| *state == State::Ready).await;
}

#[tokio::test]
async fn a_link_to_what_only_a_lost_host_has_says_which_host() {
    let stage = Stage::set().await;
    let (_front, front_id, address) = stage.front(&[]).await;
    let (mut back, back_id) = stage.host(&[]).await;
    stage.start_actor(&back_id, "hello", &stage.signer.example("hello"), 10).await.unwrap();
    stage.link("http", "hello", "wasi:http", &[("address", &address)]).await;
    stage.until_link(&front_id, "http", "hello", |state| *state == State::Ready).await;
    back.process.kill();
    let only = format!("hello runs only on host {back_id} (");
    let what_to_do = "), which is lost: bring it back, or wash start actor IMAGE hello";
    let is_lost = |state: &State| matches!(state, State::Pending(why) if why.starts_with(&only) && why.ends_with(what_to_do));
    stage.until_link(&front_id, "http", "hello", is_lost).await;
    stage.start_actor(&front_id, "hello", &stage.signer.example("hello"), 10).await.unwrap();
    stage.until_link(&front_id, "http", "hello", |state| *state == State::Ready).await;
}

#[tokio::test]
async fn what_a_provider_on_another_host_cannot_do_is_told_on_both() {
    let stage = Stage::set().await;
    let (_front, front_id, free) = stage.front(&[]).await;
    let (_back, back_id) = stage.host(&[]).await;
    let squatter = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = squatter.local_addr().unwrap().to_string();
    stage.start_actor(&back_id, "hello", &stage.signer.example("hello"), 10).await.unwrap();
    stage.link("http", "hello", "wasi:http", &[("address", &address)]).await;

    let reason = format!("address {address} in use");
    let here = |state: &State| matches!(state, State::Failed(why) if why.starts_with(&reason));
    let told = format!("http on host {front_id} (");
    let there = |state: &State| matches!(state, State::Failed(why) if why.starts_with(&told) && why.contains(&reason));
    stage.until_link(&front_id, "http", "hello", here).await;
    stage.until_link(&back_id, "http", "hello", there).await;
    let said = stage.wash(&["get", "links"]).await;
    assert!(said.code == 0 && said.text.contains(&format!("failed: {reason}")), "{}", said.text);
    let said = stage.wash(&["get", "inventory", back_id.as_str()]).await;
    assert!(said.text.contains(&format!("failed: {told}")) && said.text.contains(&reason), "{}", said.text);

    // Another link of the same provider is well, and says so on both.
    stage.start_actor(&back_id, "echo", &stage.signer.example("echo"), 10).await.unwrap();
    stage.link("http", "echo", "wasi:http", &[("address", &free)]).await;
    for host in [&front_id, &back_id] {
        stage.until_link(host, "http", "echo", |state| *state == State::Ready).await;
    }
    stage.until_link(&back_id, "http", "hello", there).await;

    drop(squatter);
    for host in [&front_id, &back_id] {
        stage.until_link(host, "http", "hello", |state| *state == State::Ready).await;
    }
    assert_eq!(stage.http.get(&format!("http://{address}/")).await.unwrap().status, 200);
}

#[tokio::test]
async fn links_and_configuration_change_under_load() {
    let stage = Stage::set().await;
    let (_front, front_id, address) = stage.front(&[]).await;
    let (_back, back_id) = stage.host(&[]).await;
    for actor in ["hello", "echo"] {
        stage.start_actor(&back_id, actor, &stage.signer.example(actor), 50).await.unwrap();
    }
    stage.link("http", "hello", "wasi:http", &[("address", &address), ("path", "/hello")]).await;
    stage.until_link(&front_id, "http", "hello", |state| *state == State::Ready).await;
    let (hello, done, calls) =
        (format!("http://{address}/hello"), AtomicBool::new(false), AtomicUsize::new(0));
    let load = async || {
        while !done.load(Ordering::Relaxed) {
            assert_eq!(stage.http.get(&hello).await.unwrap().status, 200, "no call on another link fails");
            calls.fetch_add(1, Ordering::Relaxed);
        }
    };
    let change = async {
        let status =
            async |path: &str| stage.http.get(&format!("http://{address}{path}")).await.unwrap().status;
        let mut slowest = Duration::ZERO;
        for round in 0..6 {
            // New, moved by its configuration, bad, and gone: each in effect everywhere within a second.
            let (path, moved) = (format!("/a{round}"), format!("/b{round}"));
            for (config, there, gone) in [
                (Some(path.as_str()), Some(path.as_str()), None),
                (Some(moved.as_str()), Some(moved.as_str()), Some(path.as_str())),
                (Some("no-slash"), None, Some(moved.as_str())),
            ] {
                let config = [("address", address.as_str()), ("path", config.unwrap_or_default())];
                stage.link("http", "echo", "wasi:http", &config).await;
                let began = Instant::now();
                let in_effect = || async {
                    let is_there = match there {
                        Some(path) => status(path).await == 200,
                        None => true,
                    };
                    let is_gone = match gone {
                        Some(path) => status(path).await == 404,
                        None => true,
                    };
                    (is_there && is_gone).then_some(())
                };
                until("the change is in effect", Duration::from_secs(10), in_effect).await.unwrap();
                slowest = slowest.max(began.elapsed());
            }
            let failed = |state: &State| matches!(state, State::Failed(why) if why.contains("starts with /"));
            stage.until_link(&front_id, "http", "echo", failed).await;
        }
        done.store(true, Ordering::Relaxed);
        slowest
    };
    let (slowest, (), (), ()) = futures::join!(change, load(), load(), load());
    eprintln!("slowest change {slowest:?}, {} calls beside", calls.load(Ordering::Relaxed));
    assert!(slowest < Duration::from_secs(10), "a second, and what a busy machine adds: {slowest:?}");
    assert!(calls.load(Ordering::Relaxed) > 20);
}

#[tokio::test]
async fn a_second_server_takes_over_the_port_without_being_linked_again() {
    let stage = Stage::set().await;
    let (_front, front_id, address) = stage.front(&[]).await;
    let (_back, back_id) = stage.host(&[]).await;
    for host in [&front_id, &back_id] {
        stage.start_actor(host, "hello", &stage.signer.example("hello"), 10).await.unwrap();
    }
    stage.link("http", "hello", "wasi:http", &[("address", &address)]).await;
    stage.until_link(&front_id, "http", "hello", |state| *state == State::Ready).await;
    stage.start_provider(&back_id, "http", "builtin://http-server").await.unwrap();
    let taken = |state: &State| matches!(state, State::Failed(why) if why.contains("in use"));
    stage.until_link(&back_id, "http", "hello", taken).await;
    stage.client.stop_host(&front_id, None).await.unwrap();
    let stopped = Instant::now();
    stage.until_link(&back_id, "http", "hello", |state| *state == State::Ready).await;
    eprintln!("bound {:?} after the stop was asked for", stopped.elapsed());
    assert_eq!(stage.http.get(&format!("http://{address}/")).await.unwrap().status, 200);
    let other = format!("127.0.0.1:{}", free_port().unwrap());
    stage.link("http", "hello", "wasi:http", &[("address", &other)]).await;
    let moved = || async { stage.http.get(&format!("http://{other}/")).await.ok() };
    assert_eq!(until("it has moved", Duration::from_secs(10), moved).await.unwrap().status, 200);
}
