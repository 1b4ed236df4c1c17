//! Providers that hosts have built in, as processes of their own: the HTTP server, which calls actors, and key-value on JetStream, which
//! needs to be let at its buckets.

use std::fs;

use lattice_control_interface::{DeleteLinkCommand, StartProviderCommand};
use lattice_core::{Contract, HostId, LinkKey, LinkName, State};
use lattice_testkit::{binary, free_port, until};
use lattice_tests::Stage;

use crate::provider_processes::{Closed, WITHIN, count, counter, kill, processes};

/// One of the project's own programs, signed as a provider.
fn signed(stage: &Stage, program: &str) -> String {
    let bytes = fs::read(binary(program).unwrap()).unwrap();
    stage.signer.provider(&format!("{program}.par"), &bytes).display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_http_server_in_a_process_calls_actors_wherever_they_run() {
    let closed = Closed::set().await;
    let stage = &closed.stage;
    let (_front, front_id) = closed.host(&[]).await;
    let (_back, back_id) = closed.host(&[]).await;
    stage.start_provider(&front_id, "web", &signed(stage, "provider-http-server")).await.unwrap();
    let [pid] = processes(stage)[..] else { panic!("{:?}", processes(stage)) };
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let url = format!("http://{address}/echo/a?b=c");
    for (host, actor, path) in [(&front_id, "hello", "/hello"), (&back_id, "echo", "/echo")] {
        stage.start_actor(host, actor, &stage.signer.example(actor), 10).await.unwrap();
        stage.link("web", actor, "wasi:http", &[("address", &address), ("path", path)]).await;
        stage.until_link(&front_id, "web", actor, |state| *state == State::Ready).await;
    }
    // Beside its own host's actor, and on another host; a request's body goes along.
    let hello = stage.http.get(&format!("http://{address}/hello")).await.unwrap();
    assert_eq!((hello.status, hello.text().trim()), (200, "Hello from the lattice!"));
    let echo = stage.http.send("POST", &url, &[], "hi").await.unwrap();
    assert_eq!((echo.status, &echo.json()["body"]), (200, &serde_json::json!([104, 105])));
    assert_eq!(echo.json()["path"], "/echo/a");
    let nobody = stage.http.get(&format!("http://{address}/elsewhere")).await.unwrap();
    assert_eq!((nobody.status, &nobody.json()["error"]), (404, &serde_json::json!("no-route")));

    // Without its link it reaches the actor no more, whatever it is.
    let link = LinkKey {
        source: "web".parse().unwrap(),
        target: "echo".parse().unwrap(),
        contract: Contract::http(),
        name: LinkName::default(),
    };
    stage.client.delete_link(&DeleteLinkCommand::from(&link)).await.unwrap();
    let gone = async || (stage.http.get(&url).await.ok()?.status == 404).then_some(());
    until("the route is gone", WITHIN, gone).await.unwrap();

    // Killed, it comes back with its routes.
    kill(pid).await;
    let back = async || {
        let answer = stage.http.get(&format!("http://{address}/hello")).await.ok()?;
        (processes(stage) != [pid] && answer.status == 200).then_some(())
    };
    until("it answers again", WITHIN, back).await.unwrap();
    stage.client.stop_provider(&front_id, &"web".parse().unwrap()).await.unwrap();
    assert_eq!(processes(stage), Vec::<u32>::new());
    assert!(stage.http.get(&url).await.is_err(), "nobody listens");
}

/// Starts the provider `store` with a configuration of one key, which is called like it.
async fn start_store(
    stage: &Stage,
    host: &HostId,
    image: &str,
    key: &str,
    value: &str,
) -> Result<(), String> {
    let name = key.parse().unwrap();
    stage.client.put_config(&name, &[(key.to_owned(), value.to_owned())].into()).await.unwrap();
    let mut command = StartProviderCommand::new("store".parse().unwrap(), image);
    command.config = vec![name];
    let started = stage.client.start_provider_and_wait(host, &command, WITHIN).await;
    started.map(drop).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_value_in_a_process_needs_somebody_who_may_touch_buckets() {
    let closed = Closed::set().await;
    let stage = &closed.stage;
    let (_host, id) = closed.host(&[]).await;
    let image = signed(stage, "provider-keyvalue-nats");
    // Its own credentials let it be itself, and nothing more.
    let refused = stage.start_provider(&id, "store", &image).await.unwrap_err();
    assert!(refused.contains("nats_creds_file") && refused.contains("no buckets"), "{refused}");
    let unknown = start_store(stage, &id, &image, "nats_cred_file", "x").await.unwrap_err();
    assert!(unknown.contains("did you mean nats_creds_file?"), "{unknown}");

    // The host's own credentials are hidden from it, so it has some of the same role.
    let dir = closed.own.display().to_string();
    let made = stage.run("wash", &["nats", "user", "add", &dir, "store", "--role", "host"]).await;
    assert_eq!(made.code, 0, "{}", made.text);
    // In a folder of its own: those beside the host's are hidden, too.
    let folder = stage.folder().join("store");
    fs::create_dir(&folder).unwrap();
    let creds = folder.join("store.creds");
    fs::copy(closed.own.join("users/store.creds"), &creds).unwrap();
    let creds = creds.display().to_string();
    start_store(stage, &id, &image, "nats_creds_file", &creds).await.unwrap();
    let address = counter(stage, &id).await;
    for figure in 1..=2 {
        assert_eq!(count(stage, &address).await, Ok(figure));
    }
    // Killed, it has lost nothing.
    let [pid] = processes(stage)[..] else { panic!("{:?}", processes(stage)) };
    kill(pid).await;
    let counts = async || {
        let counted = count(stage, &address).await.ok()?;
        (processes(stage) != [pid]).then_some(counted)
    };
    let figure = until("it counts again", WITHIN, counts).await.unwrap();
    assert!(figure > 2, "{figure}");
    assert_eq!(count(stage, &address).await, Ok(figure + 1));
    stage.client.stop_provider(&id, &"store".parse().unwrap()).await.unwrap();
    assert_eq!(processes(stage), Vec::<u32>::new());
}
