//! `docs/own-nats.md`, followed word for word: two servers, a leaf connection between them, and users that come and go. What is done
//! at the site is done in a home of its own, as on a second machine: nothing is there but what the document says to copy.

use std::{fs, path::Path};

use lattice_testkit::{Launch, Process, binary, workspace_root};
use tempfile::TempDir;

use super::{WITHIN, nats_server};

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
        let ours = [binary("wash").unwrap(), nats_server()].map(|file| file.parent().unwrap().to_owned());
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

/// The first machine, and that of the site.
struct Machines {
    first: Home,
    site: Home,
}

impl Machines {
    async fn follow(&mut self, block: &Block) {
        let at_site = |line: &String| line.contains("--context plant") || line.contains("--nats-dir ~/plant");
        if block.lines.iter().any(at_site) {
            self.site.follow(block).await;
        } else {
            self.first.follow(block).await;
            self.carry();
        }
    }

    /// What was copied beside, for want of a second machine, is carried there.
    fn carry(&self) {
        let copied = self.first.dir.path().join("plant");
        if copied.exists() {
            fs::rename(copied, self.site.dir.path().join("plant")).unwrap();
        }
    }
}

#[tokio::test]
async fn the_document_is_followed_word_for_word() {
    let text = fs::read_to_string(workspace_root().join("docs/own-nats.md")).unwrap();
    let mut machines = Machines { first: Home::new(), site: Home::new() };
    let blocks = blocks(&text);
    assert!(blocks.iter().filter(|block| block.mark.starts_with("sh background")).count() == 2);
    for block in &blocks {
        machines.follow(block).await;
    }
    everything_is_for_its_owner_alone(&machines);
    after_all_of_it(&mut machines).await;
}

fn everything_is_for_its_owner_alone(Machines { first, site }: &Machines) {
    for (home, folder) in [(first, "hub/keys"), (first, "hub/users"), (first, "hub/server"), (site, "plant")]
    {
        for file in fs::read_dir(home.dir.path().join(folder)).unwrap() {
            let path = file.unwrap().path();
            // Put there by hand.
            let is_public = path.ends_with("issuer") || path.ends_with("hello_s.wasm");
            assert!(path.is_dir() || is_public || private(&path), "{}", path.display());
        }
    }
}

/// What the document promises beside its commands.
async fn after_all_of_it(Machines { first, site }: &mut Machines) {
    // A viewer at the first site hears nothing of the plant's lattice, and its operator nothing of the first one's.
    let said = first.run("wash nats user add ~/hub vera2 --role viewer").await;
    assert!(said.contains("vera2.creds"), "{said}");
    let file = first.dir.path().join("hub/users/vera2.creds");
    let foreign = format!(
        "wash get hosts --nats-url nats://127.0.0.1:24222 --ctl-credsfile {} -x plant",
        file.display()
    );
    let mut refused = first.launch(&foreign);
    assert_eq!(refused.wait(WITHIN).await.unwrap().code(), Some(1), "{}", refused.output());
    // The uplink is cut: the site goes on.
    let mut hub = first.background.remove(0);
    hub.stop(WITHIN).await.unwrap();
    let said =
        site.run("wash config put greeting text=alone --context plant; wash get hosts --context plant").await;
    assert!(said.contains("ready"), "{said}");
    let gone = first.launch("wash get hosts --context hub -x plant").wait(WITHIN).await.unwrap();
    assert_eq!(gone.code(), Some(3));
    // It is back, and so is the site; and whoever was revoked stays so.
    let mut hub = first.launch("wash up --nats-dir ~/hub");
    hub.wait_for_line("press Ctrl-C to stop", WITHIN).await.unwrap();
    let seen = lattice_testkit::until("the site is seen again", WITHIN, || async {
        let mut get = first.launch("wash config get greeting --context hub -x plant");
        let found = get.wait(WITHIN).await.is_ok_and(|status| status.success());
        found.then(|| get.output())
    });
    assert!(seen.await.unwrap().contains("alone"));
    let mut vera = first.launch("wash get hosts --context vera");
    assert_eq!(vera.wait(WITHIN).await.unwrap().code(), Some(1), "{}", vera.output());
    // As the document has it: with the key by which the site's hosts sign.
    let cut_off = "wash nats user revoke ~/hub plant-leaf plant-host plant-operator --provider-keys";
    let said = first.run(cut_off).await;
    assert!(said.contains("providers-"), "it names the new keys: {said}");
    lattice_testkit::until("the site is cut off", WITHIN, || async {
        let mut get = first.launch("wash get hosts --context hub -x plant");
        let status = get.wait(WITHIN).await.ok()?;
        (status.success() && get.output().contains("no host answers")).then_some(())
    })
    .await
    .unwrap();
    hub.stop(WITHIN).await.unwrap();
    site.background.remove(0).stop(WITHIN).await.unwrap();
}

fn private(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).unwrap().permissions().mode() & 0o077 == 0
}
