//! The client against a host that is served by the real control server.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use lattice_control_interface::{
    Client, Collect, ComponentAuctionAck, ComponentAuctionRequest, ConfigMap, ControlError, CtlResponse,
    DeleteLinkCommand, Host, HostInventory, ScaleComponentCommand, StartProviderCommand,
    events::{
        ComponentScaleFailed, ComponentScaled, EventData, HostStopped, Legacy, ProviderStartFailed,
        ProviderStarted,
    },
};
use lattice_core::{ActorId, ConfigName, CtlVerb, EventName, HostId, LatticeName, Link, ProviderId};
use lattice_nats::{ConnectOptions, Connection, ControlRequest, ControlServer, EventPublisher};
use lattice_testkit::NatsServer;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

const LONG: Duration = Duration::from_secs(20);

/// A host that starts everything but what is called `bad`, says nothing of what is called `mute`, and keeps links and
/// configurations.
struct FakeHost {
    id: HostId,
    events: EventPublisher,
    configs: Mutex<BTreeMap<ConfigName, ConfigMap>>,
    links: Mutex<Vec<Link>>,
}

fn body<T: DeserializeOwned>(request: &ControlRequest) -> T {
    serde_json::from_slice(&request.payload).unwrap()
}

async fn answer<T: Serialize>(request: &ControlRequest, answer: CtlResponse<T>) {
    request.respond(serde_json::to_vec(&answer).unwrap()).await.unwrap();
}

async fn done(request: &ControlRequest, message: &str) {
    answer(request, CtlResponse::<()>::success(message)).await;
}

impl FakeHost {
    async fn serve(server: &NatsServer, letter: char) -> (Arc<Self>, ControlServer) {
        let conn = join(server).await;
        let lattice = LatticeName::default();
        let id = host_id(letter);
        let host = Arc::new(Self {
            events: EventPublisher::new(&conn, &lattice, &id),
            id,
            configs: Mutex::default(),
            links: Mutex::default(),
        });
        let serving = Arc::clone(&host);
        let handle = move |request| {
            let host = Arc::clone(&serving);
            async move { host.handle(request).await }
        };
        let control = ControlServer::serve(&conn, &lattice, &host.id, handle).await.unwrap();
        (host, control)
    }

    fn publish<T: EventData>(&self, event: &T) {
        self.events.publish(T::NAME, event.to_data().unwrap());
    }

    async fn handle(&self, request: ControlRequest) {
        match request.subject.verb.clone() {
            CtlVerb::HostPing => {
                let host: Host = serde_json::from_value(json!({"id": self.id})).unwrap();
                answer(&request, CtlResponse::ok(host)).await;
            }
            CtlVerb::HostGet(_) => {
                let inventory: HostInventory = serde_json::from_value(json!({"host_id": self.id})).unwrap();
                answer(&request, CtlResponse::ok(inventory)).await;
            }
            CtlVerb::HostStop(_) => {
                done(&request, "successfully handled stop host").await;
                self.publish(&HostStopped::default());
            }
            CtlVerb::ComponentScale(_) => self.scale(&request).await,
            CtlVerb::ProviderStart(_) => self.start(&request).await,
            CtlVerb::ProviderStop(_) => {
                answer(&request, CtlResponse::<()>::error("provider with that ID is not running")).await;
            }
            CtlVerb::ComponentAuction => {
                let asked: ComponentAuctionRequest = body(&request);
                let ComponentAuctionRequest { component_ref, component_id, constraints } = asked;
                let host_id = self.id.clone();
                let bid = ComponentAuctionAck { component_ref, component_id, host_id, constraints };
                answer(&request, CtlResponse::ok(bid)).await;
            }
            CtlVerb::LinkGet => {
                let links = self.links.lock().unwrap().clone();
                answer(&request, CtlResponse::ok(links)).await;
            }
            CtlVerb::LinkPut => {
                self.links.lock().unwrap().push(body(&request));
                done(&request, "successfully set link").await;
            }
            CtlVerb::LinkDel => {
                let command: DeleteLinkCommand = body(&request);
                self.links.lock().unwrap().retain(|link| link.source != command.source_id);
                done(&request, "successfully deleted link").await;
            }
            CtlVerb::ConfigPut(name) => {
                self.configs.lock().unwrap().insert(name, body(&request));
                done(&request, "successfully put config").await;
            }
            CtlVerb::ConfigGet(name) => {
                let found = self.configs.lock().unwrap().get(&name).cloned();
                match found {
                    Some(config) => answer(&request, CtlResponse::ok(config)).await,
                    None => done(&request, "Configuration not found").await,
                }
            }
            CtlVerb::ConfigDel(name) => {
                self.configs.lock().unwrap().remove(&name);
                done(&request, "successfully deleted config").await;
            }
            CtlVerb::ClaimsGet => request.respond("not json").await.unwrap(),
            _ => {}
        }
    }

    async fn scale(&self, request: &ControlRequest) {
        let command: ScaleComponentCommand = body(request);
        assert_eq!(command.host_id, self.id.as_str());
        match command.component_id.as_str() {
            "silent" => return,
            "mute" => {}
            "bad" => self.publish(&ComponentScaleFailed {
                public_key: None,
                annotations: BTreeMap::new(),
                host_id: self.id.clone(),
                image_ref: command.component_ref,
                component_id: command.component_id,
                max_instances: command.count,
                error: "not signed; sign it with `wash claims sign`".into(),
            }),
            _ => self.publish(&ComponentScaled {
                public_key: None,
                claims: None,
                annotations: BTreeMap::new(),
                host_id: self.id.clone(),
                image_ref: command.component_ref,
                max_instances: command.count,
                component_id: command.component_id,
            }),
        }
        // The outcome may be there before the answer.
        done(request, "").await;
    }

    async fn start(&self, request: &ControlRequest) {
        let StartProviderCommand { provider_id, provider_ref, .. } = body(request);
        done(request, "successfully started provider").await;
        match provider_id.as_str() {
            "bad" => self.publish(&ProviderStartFailed {
                error: "address 127.0.0.1:8080 in use".into(),
                host_id: self.id.clone(),
                provider_id,
                provider_ref,
                link_name: lattice_core::LinkName::default(),
            }),
            _ => self.publish(&ProviderStarted {
                host_id: self.id.clone(),
                legacy: Legacy::of(&provider_id),
                provider_id,
                image_ref: provider_ref,
                annotations: BTreeMap::new(),
                claims: None,
            }),
        }
    }
}

async fn join(server: &NatsServer) -> Connection {
    Connection::connect(ConnectOptions::to(&server.url()), LONG).await.unwrap()
}

fn host_id(letter: char) -> HostId {
    HostId::new(format!("N{}", letter.to_string().repeat(55))).unwrap()
}

async fn client(server: &NatsServer) -> Client {
    Client::new(join(server).await, LatticeName::default(), LONG)
}

fn scale(id: &str, count: u32) -> ScaleComponentCommand {
    ScaleComponentCommand::new(ActorId::new(id).unwrap(), "file:///hello.wasm", count)
}

/// In the queue group of the hosts, like one that is frozen: what it gets is answered by nobody.
async fn silent_member(server: &NatsServer) -> lattice_nats::Subscription {
    let (subject, group) = ("wasmbus.ctl.v1.default.link.*", "wasmbus.ctl.v1.default.link");
    let subjects = [(subject.to_owned(), Some(group.to_owned()))];
    join(server).await.subscribe_in_force(subjects, LONG).await.unwrap()
}

#[tokio::test]
async fn a_frozen_host_keeps_nobody_from_an_answer() {
    let server = NatsServer::start().await.unwrap();
    let (_host, _control) = FakeHost::serve(&server, 'A').await;
    let mut frozen = silent_member(&server).await;
    let client = client(&server).await;
    // One of two is picked each time, so of twenty at once the silent one gets some, but for once in a million.
    let asked = (0..20).map(|_| client.get_links());
    let answered = futures::future::join_all(asked).await;
    assert!(answered.iter().all(Result::is_ok), "{answered:?}");
    let swallowed = tokio::time::timeout(LONG, frozen.next()).await.unwrap();
    assert!(swallowed.is_some(), "the silent one was asked, too");
    let alone = Client::new(join(&server).await, LatticeName::new("other").unwrap(), LONG);
    assert!(matches!(alone.get_links().await, Err(ControlError::NoHosts { .. })));
}

#[tokio::test]
async fn hosts_are_found_and_asked() {
    let server = NatsServer::start().await.unwrap();
    let client = client(&server).await;
    assert_eq!(client.get_hosts(Collect::default()).await.unwrap(), []);
    let error = client.get_links().await.unwrap_err();
    assert!(matches!(error, ControlError::NoHosts { .. }) && error.is_unreachable(), "{error:?}");
    let error = client.get_host_inventory(&host_id('A')).await.unwrap_err();
    assert!(matches!(error, ControlError::NoSuchHost { .. }) && !error.is_unreachable(), "{error:?}");
    assert!(error.to_string().contains("wash ctl get hosts"), "{error}");

    let (_a, _a_control) = FakeHost::serve(&server, 'A').await;
    let (_b, _b_control) = FakeHost::serve(&server, 'B').await;
    let begun = Instant::now();
    let all = Collect { window: LONG, quiet: None, expected: Some(2) };
    let hosts = client.get_hosts(all).await.unwrap();
    assert_eq!(hosts.iter().map(|host| host.id.clone()).collect::<Vec<_>>(), [host_id('A'), host_id('B')]);
    let quiet = Collect { window: LONG, ..Collect::default() };
    assert_eq!(client.get_hosts(quiet).await.unwrap().len(), 2);
    assert!(begun.elapsed() < LONG, "neither waits for the whole window");

    assert_eq!(client.get_host_inventory(&host_id('B')).await.unwrap().host_id, host_id('B'));
    let request = ComponentAuctionRequest {
        component_ref: "a".into(),
        component_id: "a".into(),
        constraints: BTreeMap::new(),
    };
    assert_eq!(client.auction_component(&request, all).await.unwrap().len(), 2);
    client.stop_host_and_wait(&host_id('A'), None, LONG).await.unwrap();
}

#[tokio::test]
async fn a_start_is_followed_to_its_outcome() {
    let server = NatsServer::start().await.unwrap();
    let client = client(&server).await;
    let (host, _control) = FakeHost::serve(&server, 'A').await;

    let scaled = client.scale_component_and_wait(&host.id, &scale("hello", 5), LONG).await.unwrap();
    assert_eq!((scaled.note.as_str(), scaled.event.max_instances), ("", 5));
    let error = client.scale_component_and_wait(&host.id, &scale("bad", 1), LONG).await.unwrap_err();
    assert_eq!(
        error,
        ControlError::Refused { message: "not signed; sign it with `wash claims sign`".into() }
    );
    assert!(!error.is_unreachable());
    let soon = Duration::from_millis(100);
    let error = client.scale_component_and_wait(&host.id, &scale("mute", 1), soon).await.unwrap_err();
    assert!(matches!(error, ControlError::NoOutcome { .. }), "{error:?}");
    let error = client.with_timeout(soon).scale_component(&host.id, &scale("silent", 1)).await.unwrap_err();
    assert!(matches!(error, ControlError::Timeout { .. }) && error.is_unreachable(), "{error:?}");

    let start = |id: &str| StartProviderCommand::new(ProviderId::new(id).unwrap(), "builtin://http-server");
    let started = client.start_provider_and_wait(&host.id, &start("web"), LONG).await.unwrap();
    assert_eq!(started.event.provider_id.as_str(), "web");
    let error = client.start_provider_and_wait(&host.id, &start("bad"), LONG).await.unwrap_err();
    assert_eq!(error.to_string(), "address 127.0.0.1:8080 in use");
    let error = client.stop_provider(&host.id, &ProviderId::new("web").unwrap()).await.unwrap_err();
    assert_eq!(error, ControlError::Refused { message: "provider with that ID is not running".into() });
}

#[tokio::test]
async fn links_configurations_and_claims() {
    let server = NatsServer::start().await.unwrap();
    let client = client(&server).await;
    let (_host, _control) = FakeHost::serve(&server, 'A').await;

    let name = ConfigName::new("web.port").unwrap();
    let config = ConfigMap::from([("port".to_owned(), "8080".to_owned())]);
    assert_eq!(client.get_config(&name).await.unwrap(), None);
    client.put_config(&name, &config).await.unwrap();
    assert_eq!(client.get_config(&name).await.unwrap(), Some(config));
    client.delete_config(&name).await.unwrap();
    assert_eq!(client.get_config(&name).await.unwrap(), None);

    let link: Link = serde_json::from_value(
        json!({"source_id": "a", "target": "b", "wit_namespace": "wasi", "wit_package": "http"}),
    )
    .unwrap();
    assert_eq!(client.put_link(&link).await.unwrap(), "successfully set link");
    assert_eq!(client.get_links().await.unwrap(), std::slice::from_ref(&link));
    client.delete_link(&DeleteLinkCommand::from(&link.key().unwrap())).await.unwrap();
    assert_eq!(client.get_links().await.unwrap(), []);

    let error = client.get_claims().await.unwrap_err();
    assert!(matches!(error, ControlError::Decode { .. }), "{error:?}");
}

#[tokio::test]
async fn without_nats_the_lattice_is_unreachable() {
    let mut server = NatsServer::start().await.unwrap();
    let client = client(&server).await;
    let mut connected = client.connection().connected();
    server.stop().await.unwrap();
    tokio::time::timeout(LONG, connected.wait_for(|c| !*c)).await.unwrap().unwrap();
    let error = client.get_hosts(Collect::default()).await.unwrap_err();
    assert!(matches!(error, ControlError::Connection(_)) && error.is_unreachable(), "{error:?}");
    let error = client.scale_component_and_wait(&host_id('A'), &scale("x", 1), LONG).await.unwrap_err();
    assert!(matches!(error, ControlError::Connection(_)), "{error:?}");
    assert_eq!(HostStopped::NAME, EventName::HostStopped);
}
