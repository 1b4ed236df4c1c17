//! What `wash up` starts takes nobody without credentials, unless it was asked to.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use serde_json::Value;

use crate::{Place, place::PATIENCE};

async fn up_in_the_background(place: &Place, args: &[&str]) -> Value {
    let mut up = place.up(&[&["-d", "-o", "json", "--allow-unsigned"], args].concat());
    let status = up.wait(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", up.output());
    serde_json::from_str(&up.output()).unwrap_or_else(|_| panic!("no JSON: {}", up.output()))
}

/// What the server says to somebody who says nothing of himself.
fn stranger(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("INFO "));
    stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").unwrap();
    lines.next().unwrap().unwrap()
}

/// Every file below `folder`, with its mode.
fn modes(folder: &Path, found: &mut Vec<(std::path::PathBuf, u32)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode & 0o077, 0, "{} is {mode:o}", path.display());
            modes(&path, found);
        } else {
            found.push((path, mode));
        }
    }
}

/// What hosts, actors and the server log is nobody else's, either.
fn logs_are_private(place: &Place) {
    let mode = std::fs::metadata(place.data().join("up")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700, "{mode:o}");
}

#[tokio::test]
async fn a_stranger_is_refused_and_the_next_wash_needs_nothing() {
    let place = Place::new();
    let said = up_in_the_background(&place, &[]).await;
    assert_eq!((&said["open"], &said["context"]), (&false.into(), &format!("local-{}", place.port).into()));
    assert_eq!(stranger(place.port), "-ERR 'Authorization Violation'");
    // Nobody answers, since the host is a script; but wash is let in, and is told so by exit code 0.
    let (code, output) = place.wash(&["get", "hosts"]).await;
    assert!(code == 0 && output.contains("no host answers in lattice default"), "{output}");
    let port = place.port.to_string();
    let (code, output) = place.wash(&["get", "hosts", "--ctl-port", &port]).await;
    assert_eq!(code, 0, "the port alone will do: {output}");
    // Without the context it is a stranger, and is told what to do.
    std::fs::remove_dir_all(place.dir.path().join("contexts")).unwrap();
    let (code, output) = place.wash(&["get", "hosts", "--ctl-port", &port]).await;
    assert_eq!(code, 1, "{output}");
    for words in ["refused no credentials (authorization violation)", "--ctl-credsfile", "wash ctx"] {
        assert!(output.contains(words), "{words} in {output}");
    }
    let operator = place.data().join(format!("nats/{port}/closed/users/operator.creds"));
    let creds = ["get", "hosts", "--ctl-port", &port, "--ctl-credsfile", operator.to_str().unwrap()];
    assert_eq!(place.wash(&creds).await.0, 0);
    place.wash(&["down"]).await;
}

#[tokio::test]
async fn keys_and_credentials_are_their_owners_alone_and_the_host_has_its_own() {
    let place = Place::new();
    let said = up_in_the_background(&place, &[]).await;
    let closed = place.data().join(format!("nats/{}/closed", place.port));
    let mut found = Vec::new();
    for folder in ["keys", "users"] {
        modes(&closed.join(folder), &mut found);
    }
    modes(&place.dir.path().join("contexts"), &mut found);
    for (file, mode) in &found {
        assert_eq!(*mode, 0o600, "{}", file.display());
    }
    logs_are_private(&place);
    let names: Vec<_> = found.iter().filter_map(|(file, _)| file.file_name()?.to_str()).collect();
    for name in ["operator.nk", "system.nk", "account.nk", "host.creds", "operator.creds", "index.json"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let log = std::fs::read_to_string(said["wasmcloud_log"].as_str().unwrap()).unwrap();
    let creds = closed.join("users/host.creds");
    assert!(log.contains(&format!("creds: {}\n", creds.display())), "{log}");
    assert!(!log.contains("operator.creds"), "the host does not steer: {log}");
    // A host's credentials do not steer, and say so at once.
    let creds = creds.to_str().unwrap();
    let (code, output) = place.wash(&["get", "links", "--ctl-credsfile", creds]).await;
    assert!(code != 0, "{output}");
    place.wash(&["down"]).await;
    // The same again: the same keys.
    let before = std::fs::read(closed.join("account.jwt")).unwrap();
    up_in_the_background(&place, &[]).await;
    assert_eq!(std::fs::read(closed.join("account.jwt")).unwrap(), before);
    assert_eq!(place.wash(&["get", "hosts"]).await.0, 0);
    place.wash(&["down"]).await;
}

#[tokio::test]
async fn only_open_makes_and_joins_a_lattice_without_credentials() {
    let place = Place::new();
    let said = up_in_the_background(&place, &["--open"]).await;
    assert_eq!(said["open"], true);
    logs_are_private(&place);
    assert_eq!(stranger(place.port), "PONG");
    assert_eq!(place.wash(&["get", "hosts"]).await.0, 0);
    // Whoever does not ask for it does not join it either.
    let mut up = place.up(&[]);
    assert_eq!(up.wait(PATIENCE).await.unwrap().code(), Some(1), "{}", up.output());
    assert!(
        up.output().contains("asks nobody for credentials") && up.output().contains("--open"),
        "{}",
        up.output()
    );
    let url = format!("nats://127.0.0.1:{}", place.port);
    let mut up = place.up(&["--nats-url", &url]);
    assert_eq!(up.wait(PATIENCE).await.unwrap().code(), Some(1), "{}", up.output());
    assert!(up.output().contains("--open"), "{}", up.output());
    place.wash(&["down"]).await;
    // And the other way round.
    up_in_the_background(&place, &[]).await;
    assert_eq!(stranger(place.port), "-ERR 'Authorization Violation'");
    let mut up = place.up(&["--open"]);
    assert_eq!(up.wait(PATIENCE).await.unwrap().code(), Some(1), "{}", up.output());
    assert!(up.output().contains("is not open"), "{}", up.output());
    place.wash(&["down"]).await;
}

#[tokio::test]
async fn contexts_are_listed_chosen_shown_and_removed() {
    let place = Place::new();
    up_in_the_background(&place, &["-x", "other"]).await;
    let name = format!("local-{}-other", place.port);
    let (_, output) = place.wash(&["get", "hosts"]).await;
    assert!(output.contains("no host answers in lattice other"), "{output}");
    let (code, output) = place.wash(&["ctx", "new", "far", "--nats-url", "nats://127.0.0.1:9"]).await;
    assert!(code == 0 && output.contains("the current one"), "{output}");
    assert_eq!(place.wash(&["get", "hosts"]).await.0, 3, "nobody is there");
    assert_eq!(place.wash(&["get", "hosts", "--context", &name]).await.0, 0);
    let (_, output) = place.wash(&["ctx", "list"]).await;
    let current = output.lines().find(|line| line.starts_with('*')).unwrap();
    assert!(current.contains("far") && output.contains(&name), "{output}");
    let (code, output) = place.wash(&["ctx", "use", &name]).await;
    assert!(code == 0 && output.contains("lattice other"), "{output}");
    let (_, output) = place.wash(&["ctx", "show", "-o", "json"]).await;
    let shown: Value = serde_json::from_str(&output).unwrap();
    assert_eq!((&shown["name"], &shown["current"]), (&name.clone().into(), &true.into()));
    assert_eq!(place.wash(&["ctx", "del", "far"]).await.0, 0);
    assert_eq!(place.wash(&["ctx", "use", "far"]).await.0, 1);
    place.wash(&["down", "--all"]).await;
}
