//! `docs/own-nats.md`, followed word for word: two servers, a leaf connection between them, and users that come and go.

use std::{path::Path, time::Duration};

use lattice_testkit::{Launch, Process, Tools, binary, workspace_root};
use lattice_tests::Stage;
use tempfile::TempDir;

/// How long a command may take on a busy machine.
const WITHIN: Duration = Duration::from_secs(90);

/// A command block: its mark, and its lines.
struct Block {
    mark: String,
    lines: Vec<String>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut all = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(mark), None) => open = Some(Block { mark: mark.to_owned(), lines: Vec::new() }),
            (Some(_), Some(_)) => all.extend(open.take()),
            (None, Some(block)) => block.lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    all
}

/// Somebody's home, in which the document is followed.
struct Home {
    dir: TempDir,
    path: std::ffi::OsString,
    background: Vec<Process>,
}

impl Home {
    fn new() -> Self {
        let server = Tools::of_workspace().nats_server(None, &mut |line| eprintln!("{line}")).unwrap();
        let ours = [binary("wash").unwrap(), server].map(|file| file.parent().unwrap().to_owned());
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(ours.into_iter().chain(std::env::split_paths(&inherited))).unwrap();
        Self { dir: TempDir::new().unwrap(), path, background: Vec::new() }
    }

    fn launch(&self, script: &str) -> Process {
        let home = |name: &str| self.dir.path().join(name);
        let script = match script.contains('\n') || script.contains(';') {
            true => script.to_owned(),
            false => format!("exec {script}"),
        };
        let launch = Launch::program("bash").args(["-euo", "pipefail", "-c"]).arg(script);
        let launch = launch.dir(workspace_root()).env("PATH", &self.path).env("HOME", self.dir.path());
        let launch = launch.env("XDG_DATA_HOME", home("data")).env("XDG_CACHE_HOME", home("cache"));
        let launch = launch.env("XDG_CONFIG_HOME", home("config")).env("WASH_KEYS", home("keys"));
        Process::spawn(launch).unwrap()
    }

    async fn run(&self, script: &str) -> String {
        let mut process = self.launch(script);
        let status = process.wait(WITHIN).await.unwrap();
        assert!(status.success(), "{script}: {status}\n{}", process.output());
        process.output()
    }

    async fn follow(&mut self, block: &Block) {
        let script = block.lines.join("\n");
        if let Some(until) = block.mark.strip_prefix("sh background until=\"") {
            let mut process = self.launch(&script);
            process.wait_for_line(until.trim_end_matches('"'), WITHIN).await.unwrap();
            self.background.push(process);
        } else if block.mark == "sh" {
            self.run(&script).await;
        } else if block.mark == "console" {
            let command = block.lines[0].strip_prefix("$ ").unwrap();
            let said = self.run(command).await;
            for shown in &block.lines[1..] {
                let shown = shown.trim_end_matches('…').trim_end();
                assert!(
                    said.lines().any(|line| line.starts_with(shown)),
                    "{command}: no {shown:?} in\n{said}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_document_is_followed_word_for_word() {
    let text = std::fs::read_to_string(workspace_root().join("docs/own-nats.md")).unwrap();
    let mut home = Home::new();
    let blocks = blocks(&text);
    assert!(blocks.iter().filter(|block| block.mark.starts_with("sh background")).count() == 2);
    for block in &blocks {
        home.follow(block).await;
    }
    after_all_of_it(&mut home).await;
}

/// What the document promises beside its commands.
async fn after_all_of_it(home: &mut Home) {
    for folder in ["hub/keys", "hub/users", "hub/server", "plant"] {
        for file in std::fs::read_dir(home.dir.path().join(folder)).unwrap() {
            let path = file.unwrap().path();
            assert!(path.is_dir() || private(&path), "{}", path.display());
        }
    }
    let wash = |args: &str| home.launch(&format!("wash {args}"));
    // A viewer at the first site hears nothing of the plant's lattice, and its operator nothing of the first one's.
    let said = home.run("wash nats user add ~/hub vera2 --role viewer").await;
    assert!(said.contains("vera2.creds"), "{said}");
    let file = home.dir.path().join("hub/users/vera2.creds");
    let foreign =
        format!("get hosts --nats-url nats://127.0.0.1:24222 --ctl-credsfile {} -x plant", file.display());
    let mut refused = wash(&foreign);
    assert_eq!(refused.wait(WITHIN).await.unwrap().code(), Some(1), "{}", refused.output());
    // The uplink is cut: the site goes on.
    let mut hub = home.background.remove(0);
    hub.stop(WITHIN).await.unwrap();
    let said =
        home.run("wash config put greeting text=alone --context plant; wash get hosts --context plant").await;
    assert!(said.contains("ready"), "{said}");
    let gone = home.launch("wash get hosts --context hub -x plant").wait(WITHIN).await.unwrap();
    assert_eq!(gone.code(), Some(3));
    // It is back, and so is the site; and whoever was revoked stays so.
    let mut hub = home.launch("wash up --nats-dir ~/hub");
    hub.wait_for_line("press Ctrl-C to stop", WITHIN).await.unwrap();
    let seen = lattice_testkit::until("the site is seen again", WITHIN, || async {
        let mut get = home.launch("wash config get greeting --context hub -x plant");
        let found = get.wait(WITHIN).await.is_ok_and(|status| status.success());
        found.then(|| get.output())
    });
    assert!(seen.await.unwrap().contains("alone"));
    let mut vera = home.launch("wash get hosts --context vera");
    assert_eq!(vera.wait(WITHIN).await.unwrap().code(), Some(1), "{}", vera.output());
    home.run("wash nats user revoke ~/hub plant-leaf plant-host plant-operator").await;
    lattice_testkit::until("the site is cut off", WITHIN, || async {
        let mut get = home.launch("wash get hosts --context hub -x plant");
        let status = get.wait(WITHIN).await.ok()?;
        (status.success() && get.output().contains("no host answers")).then_some(())
    })
    .await
    .unwrap();
    hub.stop(WITHIN).await.unwrap();
    home.background.remove(0).stop(WITHIN).await.unwrap();
}

fn private(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).unwrap().permissions().mode() & 0o077 == 0
}

#[tokio::test]
async fn with_tls_everybody_speaks_it() {
    let stage = Stage::set().await;
    let file = |name: &str| stage.folder().join(name).display().to_string();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(file("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(file("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let (port, leaf) = (lattice_testkit::free_port().unwrap(), lattice_testkit::free_port().unwrap());
    let (dir, listen, leaf) = (file("tls"), format!("127.0.0.1:{port}"), format!("127.0.0.1:{leaf}"));
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let mut init =
        vec!["nats", "init", &dir, "--listen", &listen, "--leaf-listen", &leaf, "--address", "localhost"];
    init.extend(["--tls-cert", &cert, "--tls-key", &key, "--tls-ca", &cert]);
    let said = stage.run("wash", &init).await;
    assert_eq!(said.code, 0, "{}", said.text);
    let server = Tools::of_workspace().nats_server(None, &mut |line| eprintln!("{line}")).unwrap();
    let server = server.display().to_string();
    let up = stage.run("wash", &["up", "-d", "--nats-dir", &dir, "--nats-server", &server]).await;
    assert_eq!(up.code, 0, "{}", up.text);
    let hosts = stage.run("wash", &["get", "hosts"]).await;
    assert!(hosts.code == 0 && hosts.text.contains("ready"), "{}", hosts.text);
    let said = stage.run("wash", &["nats", "user", "revoke", &dir, "operator"]).await;
    assert_eq!(said.code, 0, "{}", said.text);
    assert_eq!(stage.run("wash", &["get", "hosts"]).await.code, 1, "revoked");
    assert_eq!(stage.run("wash", &["down"]).await.code, 0);
}
