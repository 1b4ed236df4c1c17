use lattice_contracts::{Callee, Provider, ProviderLink};
use lattice_core::{ActorId, State};
use lattice_testkit::Http;
use tokio::time::{Duration, Instant};

use crate::rig::{Rig, key, says};

#[tokio::test]
async fn a_taken_port_is_told_and_taken_once_it_is_free() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let rig = Rig::new();
    let state = rig.link("a", &[("address", &address)], says("a")).await;
    let State::Failed(why) = &state else { panic!("{state}") };
    assert!(why.starts_with(&format!("address {address} in use")), "{why}");
    assert_eq!(rig.whole(), state);
    drop(other);
    let freed = Instant::now();
    rig.until("a", |state| *state == State::Ready).await;
    assert!(freed.elapsed() < Duration::from_secs(10), "{:?}", freed.elapsed());
    assert_eq!(rig.whole(), State::Ready);
    assert_eq!(Http::new().get(&format!("http://{address}/")).await.unwrap().text(), "a /");
}

#[tokio::test]
async fn two_hosts_never_share_a_port() {
    let (one, two) = (Rig::new(), Rig::new());
    let address = one.open("a", &[], says("a")).await.to_string();
    assert_eq!(two.link("a", &[("address", &address)], says("a")).await.word(), "failed");
    one.server.delete_link(&key("a")).await;
    two.until("a", |state| *state == State::Ready).await;
}

#[tokio::test]
async fn a_route_belongs_to_who_came_first() {
    let rig = Rig::new();
    let address = rig.open("first", &[("path", "/x")], says("first")).await;
    let at = [("address", "127.0.0.1:0"), ("path", "/x/")];
    let state = rig.link("second", &at, says("second")).await;
    assert!(state.to_string().contains("route already taken by actor first"), "{state}");
    assert_eq!(rig.whole().word(), "degraded");
    let url = format!("http://{address}/x");
    assert_eq!(Http::new().get(&url).await.unwrap().text(), "first /x");
    // An update that moves nothing keeps its place.
    let same = [("address", "127.0.0.1:0"), ("path", "/x"), ("max_body_bytes", "1")];
    assert_eq!(rig.link("first", &same, says("first")).await, State::Ready);
    rig.server.delete_link(&key("first")).await;
    assert_eq!(rig.state("second"), State::Ready);
    assert_eq!(Http::new().get(&url).await.unwrap().text(), "second /x");
}

#[tokio::test]
async fn a_link_moves_between_addresses_of_one_port() {
    let rig = Rig::new();
    let port = lattice_testkit::free_port().unwrap();
    for address in [format!("0.0.0.0:{port}"), format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}")] {
        assert_eq!(rig.link("a", &[("address", &address)], says("a")).await, State::Ready, "{address}");
        assert_eq!(Http::new().get(&format!("http://127.0.0.1:{port}/")).await.unwrap().status, 200);
    }
    let state = rig.link("b", &[("address", &format!("127.0.0.1:{port}"))], says("b")).await;
    assert!(state.to_string().contains("own listener on 0.0.0.0"), "{state}");
}

#[tokio::test]
async fn links_that_cannot_be_served_say_why() {
    let rig = Rig::new();
    for (config, says_why) in [
        (("adress", "127.0.0.1:1"), "did you mean address?"),
        (("address", "203.0.113.9:1"), "none of this machine's"),
    ] {
        let state = rig.link("a", &[config], says("a")).await;
        assert_eq!(state.word(), "failed");
        assert!(state.to_string().contains(says_why), "{state}");
    }
    let link = |interfaces: &[&str], callee| ProviderLink {
        key: key("b"),
        actor: ActorId::new("b").unwrap(),
        interfaces: interfaces.iter().map(|name| (*name).to_owned()).collect(),
        config: [("address".to_owned(), "127.0.0.1:0".to_owned())].into(),
        secrets: Default::default(),
        callee,
    };
    rig.server.put_link(link(&["outgoing-handler"], Callee::Http(says("b")))).await;
    assert!(rig.state("b").to_string().contains("does not grant incoming-handler"));
    rig.server.put_link(link(&[], Callee::None)).await;
    assert!(rig.state("b").to_string().contains("as its source"));
}
