//! Requests that the client signs, as a host gets them.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lattice_claims::{COMMAND_HEADER, CommandRequest, KeyKind, KeyPair, verify_command};
use lattice_control_interface::{Client, ControlError, CtlResponse};
use lattice_core::{ConfigName, HostId, LatticeName};
use lattice_nats::{ConnectOptions, Connection, ControlRequest, ControlServer};
use lattice_testkit::NatsServer;

const LONG: Duration = Duration::from_secs(20);

/// Who signed a request; none where nobody did.
fn signer(request: &ControlRequest) -> Option<String> {
    let token = request.header(COMMAND_HEADER)?;
    let of = CommandRequest { lattice: "default", subject: &request.written, body: &request.payload };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    Some(verify_command(token, &of, u64::try_from(now).unwrap()).unwrap().key.to_string())
}

#[tokio::test]
async fn what_changes_something_is_signed_for_itself_and_what_only_asks_is_not() {
    let server = NatsServer::start().await.unwrap();
    let options = || ConnectOptions::to(&server.url()).named("test");
    let conn = Connection::connect(options(), LONG).await.unwrap();
    let (lattice, host) = (LatticeName::default(), HostId::new(format!("N{}", "A".repeat(55))).unwrap());
    let seen: Arc<Mutex<Vec<(String, Option<String>)>>> = Arc::default();
    let heard = seen.clone();
    let handle = move |request: ControlRequest| {
        let heard = heard.clone();
        async move {
            heard.lock().unwrap().push((request.subject.verb.name().to_owned(), signer(&request)));
            let answer = match request.subject.verb.name() {
                "label.put" => CtlResponse::<()>::denied("no-role", "key has no role; give it one"),
                _ => CtlResponse::success("done"),
            };
            request.respond(serde_json::to_vec(&answer).unwrap()).await.unwrap();
        }
    };
    let _control = ControlServer::serve(&conn, &lattice, &host, handle).await.unwrap();

    let plain = Client::new(Connection::connect(options(), LONG).await.unwrap(), lattice, LONG);
    let key = KeyPair::generate(KeyKind::User);
    let signing = plain.signed_by(key.clone());
    // A name that is written in another way on the wire than it is read.
    let name = ConfigName::new("web.port").unwrap();
    let values = [("a".to_owned(), "b".to_owned())].into();
    for client in [&plain, &signing] {
        client.put_config(&name, &values).await.unwrap();
        client.delete_config(&name).await.unwrap();
        assert_eq!(client.get_config(&name).await.unwrap(), None);
    }
    let label = lattice_control_interface::HostLabel { key: "a".into(), value: "b".into() };
    let error = signing.put_label(&host, &label).await.unwrap_err();
    assert_eq!(
        error,
        ControlError::NotAllowed { code: "no-role".into(), message: "key has no role; give it one".into() }
    );
    let by = Some(key.public_key().to_string());
    let expected = [
        ("config.put", None),
        ("config.del", None),
        ("config.get", None),
        ("config.put", by.clone()),
        ("config.del", by.clone()),
        ("config.get", None),
        ("label.put", by),
    ];
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen, expected.map(|(command, by)| (command.to_owned(), by)));

    let host_key = plain.signed_by(KeyPair::generate(KeyKind::Host));
    let error = host_key.put_config(&name, &values).await.unwrap_err();
    assert!(matches!(error, ControlError::Unsigned { .. }), "{error}");
}
