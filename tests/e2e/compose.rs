//! `docker-compose.yml` and `Dockerfile`, as far as they can be tried without a container engine: what they name exists, no port is open to
//! others, and the processes that they describe are a closed lattice.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use lattice_testkit::{Launch, Process, Tools, free_port, workspace_root};
use lattice_tests::Stage;
use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(60);
/// The server, as containers call it.
const NATS: &str = "nats://nats:4222";

fn compose() -> Value {
    let text = fs::read_to_string(workspace_root().join("docker-compose.yml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

fn texts<'a>(service: &'a Value, key: &str) -> Vec<&'a str> {
    service[key].as_array().into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}

/// Source and place of each folder or file that is mounted; of volumes only those that are declared.
fn mounts<'a>(compose: &'a Value, service: &'a Value) -> Vec<(&'a str, &'a str)> {
    let mut files = Vec::new();
    for mount in texts(service, "volumes") {
        let (source, rest) = mount.split_once(':').unwrap();
        match source.strip_prefix("./") {
            Some(source) => files.push((source, rest.trim_end_matches(":ro"))),
            None => assert!(compose["volumes"].get(source).is_some(), "{mount}: no such volume"),
        }
    }
    files
}

/// The text with its `${NAME…}` replaced; one that has neither a value here nor one to fall back on is a failure.
fn filled(text: &str, values: &[(&str, &str)]) -> String {
    let Some((before, rest)) = text.split_once("${") else { return text.to_owned() };
    let (variable, after) = rest.split_once('}').unwrap();
    let (name, otherwise) = variable.split_once(":-").unwrap_or((variable, ""));
    let name = name.split(":?").next().unwrap();
    let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let value = value.or((!otherwise.is_empty()).then_some(otherwise));
    format!("{before}{}{}", value.unwrap_or_else(|| panic!("{name} is not set")), filled(after, values))
}

#[test]
fn what_is_named_exists_and_no_port_is_open_to_others() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    assert_eq!(
        services.keys().map(String::as_str).collect::<Vec<_>>(),
        ["nats", "registry", "front", "back"]
    );
    for (name, service) in services {
        for port in texts(service, "ports") {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
        for other in texts(service, "depends_on") {
            assert!(services.contains_key(other), "{name} depends on {other}");
        }
        let _declared = mounts(&compose, service);
    }
    // Every copy from the repository into the image, and what is left out of it.
    let root = workspace_root();
    let dockerfile = fs::read_to_string(root.join("Dockerfile")).unwrap();
    let copied: Vec<&str> = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")).collect();
    assert_eq!(copied.len(), 2, "{copied:?}");
    for source in copied.iter().filter(|line| !line.starts_with("--from")) {
        assert!(root.join(source.split(' ').next().unwrap()).exists(), "{source}");
    }
    let packages = dockerfile.split("--package ").skip(1).map(|rest| rest.split(' ').next().unwrap());
    for package in packages {
        let manifest = root.join("crates").join(package.trim_start_matches("lattice-")).join("Cargo.toml");
        assert!(
            fs::read_to_string(&manifest).unwrap().contains(&format!("name = \"{package}\"")),
            "{package}"
        );
    }
    let toolchain = fs::read_to_string(root.join("rust-toolchain.toml")).unwrap();
    let version = dockerfile.split("FROM rust:").nth(1).unwrap().split('-').next().unwrap();
    assert!(
        toolchain.contains(&format!("channel = \"{version}.")),
        "the image's Rust is that of the project"
    );
    for secret in ["/lattice", "/.env", "**/*.nk", "**/*.creds"] {
        let ignored = fs::read_to_string(root.join(".dockerignore")).unwrap();
        assert!(ignored.lines().any(|line| line == secret), "{secret} stays out of the image");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flag_of_the_file_is_one() {
    let stage = Stage::set().await;
    let compose = compose();
    let help = stage.run("wasmcloud", &["--help"]).await.text;
    let known: BTreeSet<&str> = help
        .split_whitespace()
        .map(|word| word.trim_end_matches(','))
        .filter(|word| word.starts_with("--"))
        .collect();
    for service in ["front", "back"] {
        for flag in texts(&compose["services"][service], "command") {
            let name = flag.split('=').next().unwrap();
            assert!(known.contains(name), "{service}: {flag}\n{help}");
        }
    }
}

/// A process of the file, started outside of a container: `/lattice` is then what is mounted there.
fn args(
    service: &Value,
    root: &Path,
    mounted: &[(&str, &str)],
    values: &[(&str, &str)],
    url: &str,
) -> Vec<String> {
    let place = |arg: &str| {
        let mut arg = filled(arg, values).replace(NATS, url);
        for (source, target) in mounted {
            arg = arg.replace(target, &root.join(source).display().to_string());
        }
        arg
    };
    texts(service, "command").into_iter().map(place).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_server_and_hosts_are_a_closed_lattice() {
    let stage = Stage::set().await;
    let compose = compose();
    let root = stage.folder().to_owned();
    // As the document says, but for the ports.
    let document = fs::read_to_string(workspace_root().join("docs/compose.md")).unwrap();
    assert!(document.contains(
        "wash nats init lattice --listen 0.0.0.0:4222 --leaf-listen 0.0.0.0:7422 --address 127.0.0.1"
    ));
    let [port, leaf] = [free_port().unwrap(), free_port().unwrap()];
    let (dir, url) = (root.join("lattice").display().to_string(), format!("nats://127.0.0.1:{port}"));
    let (listen, leaf) = (format!("0.0.0.0:{port}"), format!("0.0.0.0:{leaf}"));
    let init = ["nats", "init", &dir, "--listen", &listen, "--leaf-listen", &leaf, "--address", "127.0.0.1"];
    let made = stage.run("wash", &[&init[..], &["-o", "json"]].concat()).await;
    assert_eq!(made.code, 0, "{}", made.text);
    let made = made.json();
    assert_eq!(made["url"].as_str(), Some(url.as_str()));
    let values =
        [("LATTICE_ADMIN", made["admins"][0].as_str().unwrap()), ("LATTICE_TRUST", stage.signer.account())];

    let nats = &compose["services"]["nats"];
    let mounted = mounts(&compose, nats);
    let command = args(nats, &root, &mounted, &values, &url);
    let [program, given @ ..] = &command[..] else { panic!("no command") };
    assert_eq!(program, "nats-server");
    let folder = mounted.iter().find(|(_, target)| Some(*target) == nats["working_dir"].as_str()).unwrap().0;
    let program = Tools::of_workspace().nats_server(None, &mut |line| eprintln!("{line}")).unwrap();
    let server = Launch::program(program).args(given).dir(root.join(folder));
    let _server = server.ready("Server is ready", WITHIN).start().await.unwrap();

    let mut hosts: Vec<Process> = Vec::new();
    for name in ["front", "back"] {
        let service = &compose["services"][name];
        let mounted = mounts(&compose, service);
        for (source, _) in &mounted {
            assert!(
                root.join(source).exists(),
                "{name} mounts {source}, which `wash nats init` does not make"
            );
        }
        let host = stage.program("wasmcloud").args(args(service, &root, &mounted, &values, &url));
        hosts.push(host.ready("wasmcloud ready", WITHIN).start().await.unwrap());
    }
    let creds = root.join("lattice/users/operator.creds").display().to_string();
    let look = ["get", "hosts", "--nats-url", &url, "-o", "json"];
    let said = stage.run("wash", &[&look[..], &["--ctl-credsfile", &creds]].concat()).await;
    assert_eq!(said.code, 0, "{}", said.text);
    let said = said.json();
    let tiers: BTreeSet<&str> =
        said["hosts"].as_array().unwrap().iter().filter_map(|host| host["labels"]["tier"].as_str()).collect();
    assert_eq!(tiers, BTreeSet::from(["back", "front"]), "{said}");
    assert_ne!(stage.run("wash", &look).await.code, 0, "nobody without credentials");
    // Credentials alone change nothing: a signature is asked for.
    let change = ["config", "put", "greeting", "text=hello", "--nats-url", &url, "--ctl-credsfile", &creds];
    assert_ne!(stage.run("wash", &change).await.code, 0);
    let key = root.join("lattice/keys/admin.nk").display().to_string();
    let signed = stage.run("wash", &[&change[..], &["--signing-key", &key]].concat()).await;
    assert_eq!(signed.code, 0, "{}", signed.text);
    for host in &mut hosts {
        host.stop(WITHIN).await.unwrap();
    }
}
