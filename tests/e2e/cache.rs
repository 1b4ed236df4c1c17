//! Compiled code on disk: used by the next start, and never when it is not what was written.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use lattice_testkit::{Launch, Process, until};
use lattice_tests::{Line, Stage, lines};

const SOON: Duration = Duration::from_secs(30);

/// Starts a host in the same folders, runs `hello` on it, and gives its log.
async fn started(
    stage: &Stage,
    wrap: Option<&str>,
) -> (Vec<Line>, serde_json::Map<String, serde_json::Value>) {
    let folder = stage.folder();
    let host = stage.program("wasmcloud");
    let launch = match wrap {
        None => host,
        Some(_) => {
            let binary = lattice_testkit::binary("wasmcloud").unwrap();
            let shell = Launch::program("sh").args(["-c", wrap.unwrap_or_default()]).arg(binary);
            shell
                .env("WASMCLOUD_DATA_DIR", folder.join("data"))
                .env("WASMCLOUD_CACHE_DIR", folder.join("cache"))
                .env("WASMCLOUD_OPEN", "true")
        }
    };
    let launch = launch
        .args(["--nats-url", &stage.nats.url(), "--trust", stage.signer.account()])
        .args(["--allow-file-load", Line::JSON, "--log-level", "info,lattice_code_cache=debug"])
        .ready("wasmcloud ready", SOON);
    let mut host: Process = launch.start().await.unwrap();
    let id = stage.hosts().await[0].id.clone();
    // The same bytes each time: the file is signed once.
    let image = folder.join("hello_s.wasm");
    stage.start_actor(&id, "hello", &image, 1).await.unwrap();
    let engine = stage.client.get_host_inventory(&id).await.unwrap().engine.unwrap();
    host.stop(SOON).await.unwrap();
    let gone = async || stage.hosts().await.is_empty().then_some(());
    until("the host is gone", SOON, gone).await.unwrap();
    (lines(&host.output()), engine)
}

/// Whether the actor's code came from the cache.
fn was_cached(log: &[Line]) -> bool {
    let started: Vec<&Line> = log.iter().filter(|line| line.message == "actor started").collect();
    assert_eq!(started.len(), 1, "{log:?}");
    match started[0].field("code").as_str() {
        "cached" => true,
        "compiled" => false,
        other => panic!("{other:?} in {started:?}"),
    }
}

fn entries(stage: &Stage) -> Vec<PathBuf> {
    let folder = fs::read_dir(stage.folder().join("cache/code")).unwrap();
    let entries = folder.map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "code")).collect()
}

#[tokio::test]
async fn the_next_start_uses_compiled_code_and_a_damaged_file_is_never_run() {
    let stage = Stage::set().await;
    let _image = stage.signer.example("hello");
    let (log, engine) = started(&stage, None).await;
    assert!(!was_cached(&log));
    assert_eq!(engine["code_cache"], true);
    assert_eq!(entries(&stage).len(), 1);
    assert!(was_cached(&started(&stage, None).await.0));

    let entry = entries(&stage).remove(0);
    let whole = fs::read(&entry).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for (what, bytes) in [
        ("one bit", flipped),
        ("cut short", whole[..whole.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("machine code of somebody else", fs::read("/bin/sh").unwrap()),
    ] {
        fs::write(&entry, bytes).unwrap();
        let (log, _) = started(&stage, None).await;
        assert!(!was_cached(&log), "{what}");
        let said = log.iter().find(|line| line.message.contains("cached code not used"));
        let said = said.unwrap_or_else(|| panic!("{what}: {log:?}"));
        assert!(said.level == "WARN" && !said.field("reject").is_empty(), "{what}: {said:?}");
        // It was written anew.
        assert_eq!(fs::read(&entry).unwrap().len(), whole.len(), "{what}");
    }
    assert!(was_cached(&started(&stage, None).await.0));

    // Entries that another key vouches for are not this host's.
    fs::remove_file(stage.folder().join("data/code.key")).unwrap();
    assert!(!was_cached(&started(&stage, None).await.0));
}

#[tokio::test]
async fn a_folder_that_others_may_write_to_is_not_used() {
    let stage = Stage::set().await;
    let _image = stage.signer.example("hello");
    let folder = stage.folder().join("cache/code");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    for _ in 0..2 {
        let (log, engine) = started(&stage, None).await;
        assert!(!was_cached(&log));
        assert_eq!(engine["code_cache"], false);
        let said = log.iter().find(|line| line.message.contains("compiled code is not kept")).unwrap();
        assert!(said.field("why").contains("777"), "{said:?}");
    }
    assert!(entries(&stage).is_empty());
}

#[tokio::test]
async fn a_small_address_space_takes_a_smaller_pool() {
    let stage = Stage::set().await;
    let _image = stage.signer.example("hello");
    let little = "ulimit -v 4194304; exec \"$0\" \"$@\"";
    let (_, engine) = started(&stage, Some(little)).await;
    assert!(engine["pool_reason"].as_str().is_some_and(|why| !why.is_empty()), "{engine:?}");
}
