//! Instances: a fresh one for each call, unless an operator opts in to a bounded number of calls.

use lattice_control_interface::ScaleComponentCommand;
use lattice_core::State;
use lattice_testkit::{Http, free_port};
use lattice_tests::Stage;

/// What instances answer to so many calls, one after the other: how many calls each has answered so far.
async fn counts(http: &Http, address: &str, calls: usize) -> Vec<u64> {
    let mut counts = Vec::new();
    for _ in 0..calls {
        let answer = http.get(&format!("http://{address}/instance")).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        counts.push(answer.text().trim().parse().unwrap());
    }
    counts
}

fn command(stage: &Stage, reuse: Option<u32>) -> ScaleComponentCommand {
    let image = stage.signer.example("misbehave").display().to_string();
    let mut command = ScaleComponentCommand::new("misbehave".parse().unwrap(), image, 1);
    command.reuse = reuse;
    command
}

#[tokio::test]
async fn an_instance_serves_as_many_calls_as_asked_for() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving_as(&[], &command(&stage, None)).await;
    assert_eq!(counts(&stage.http, &address, 4).await, [1; 4], "fresh by default");

    let asked = ScaleComponentCommand { component_ref: String::new(), ..command(&stage, Some(3)) };
    stage.scale(&id, &asked).await.unwrap();
    let inventory = stage.client.get_host_inventory(&id).await.unwrap();
    assert_eq!(inventory.components[0].reuse, Some(3));
    assert_eq!(counts(&stage.http, &address, 7).await, [1, 2, 3, 1, 2, 3, 1]);

    // An instance that trapped, or whose client left, is not used again.
    let trapped = stage.http.get(&format!("http://{address}/trap")).await.unwrap();
    assert_eq!(trapped.status, 500);
    assert_eq!(counts(&stage.http, &address, 2).await, [1, 2]);
    drop(stage.http.open("GET", &format!("http://{address}/early"), &[], "").await.unwrap());
    stage.until_idle(&id, "misbehave").await;
    assert_eq!(counts(&stage.http, &address, 2).await, [1, 2]);
}

#[tokio::test]
async fn a_manifest_asks_for_reuse() {
    let stage = Stage::set().await;
    let image = stage.signer.example("misbehave");
    let addresses = [(); 2].map(|()| format!("127.0.0.1:{}", free_port().unwrap()));
    let manifest = format!(
        "app: instances
providers:
  - {{ name: http, image: builtin://http-server }}
actors:
  - {{ name: fresh, image: {image}, concurrency: 1 }}
  - {{ name: kept, image: {image}, concurrency: 1, reuse: 4 }}
links:
  - {{ from: http, to: fresh, contract: wasi:http, config: {{ address: {} }} }}
  - {{ from: http, to: kept, contract: wasi:http, config: {{ address: {} }} }}
",
        addresses[0],
        addresses[1],
        // Relative to the manifest.
        image = image.file_name().unwrap().display(),
    );
    let manifest = stage.signer.file("instances.yaml", manifest.as_bytes());
    let (_host, id) = stage.host(&["-m", manifest.to_str().unwrap()]).await;
    for actor in ["fresh", "kept"] {
        stage.until_link(&id, "http", actor, |state| *state == State::Ready).await;
    }
    assert_eq!(counts(&stage.http, &addresses[0], 3).await, [1; 3]);
    assert_eq!(counts(&stage.http, &addresses[1], 6).await, [1, 2, 3, 4, 1, 2]);
}
