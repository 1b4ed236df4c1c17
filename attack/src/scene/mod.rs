//! The lattice that is attacked, and everybody who has to do with it.

mod canary;
mod ear;
mod images;
mod inside;
mod lattice;
mod leak;
mod people;
mod sealed;
mod seat;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use lattice_claims::{KeyKind, KeyPair};
use lattice_control_interface::{Client, Collect};
use lattice_core::{HostId, LatticeName};
use lattice_nats::Connection;
use lattice_testkit::{Http, Process};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use canary::{Canary, redirecting};
pub(crate) use ear::{Ear, Events};
pub(crate) use images::{Signer, now, target, wasm_of};
pub(crate) use inside::{Inside, Program, Site, login};
pub(crate) use lattice::{Ports, SHORT_SECONDS, Spare};
pub(crate) use leak::{Leak, files_below};
pub(crate) use people::{People, connect_bare};
pub(crate) use sealed::{Sealed, give, link, marker, put_secret};
pub(crate) use seat::{Mole, Seat, Vera};

/// The folder in which processes of providers write.
const SCRATCH: &str = "scratch";
/// How long anything that should happen at once may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(10);
/// How long a part of the lattice may take to start or to stop.
pub(crate) const WITHIN: Duration = Duration::from_secs(60);

/// A lattice of two hosts, with what every attempt needs.
pub(crate) struct Scene {
    /// Whether it asks nobody for credentials.
    pub(crate) open: bool,
    /// Where it listens.
    pub(crate) ports: Ports,
    /// `wash up`, with the first host's log in its output.
    pub(crate) up: Process,
    /// The first host.
    pub(crate) host: HostId,
    /// The second one, for attempts that one should not survive.
    pub(crate) spare: Spare,
    /// Who is connected.
    pub(crate) people: People,
    /// A provider's process that somebody is in, of the id `mole`.
    pub(crate) mole: Inside,
    /// Commands as the admin of the lattice gives them.
    pub(crate) client: Client,
    /// The admin's key.
    pub(crate) admin: KeyPair,
    /// Whom the hosts trust.
    pub(crate) signer: Signer,
    /// What an attacker would like to reach, and must not.
    pub(crate) canary: Canary,
    /// An HTTP server that the actor `courier` may ask, and which sends it on to the canary.
    pub(crate) redirecting: Canary,
    /// Requests to actors.
    pub(crate) http: Http,
    /// A command of the admin's as it went over the wire before the first attempt: kept until its time is over.
    pub(crate) captured: Captured,
    sealed: Option<Sealed>,
    has_vault: bool,
    before: Before,
    folder: TempDir,
    /// Where processes of providers write: what is new beside their host's folders is not for them.
    scratch: PathBuf,
}

/// How much of the logs was written before the attempt that is made now, in bytes: nothing there is evidence of what comes of it.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    nats: usize,
    host: usize,
}

/// A command that somebody has heard.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    /// When it was heard.
    pub(crate) at: std::time::Instant,
    /// Its operation, as `label.put.N…`.
    pub(crate) operation: String,
    /// Its signature, where it had one.
    pub(crate) token: Option<String>,
    /// Its body.
    pub(crate) body: String,
}

impl Scene {
    /// Starts all of it.
    ///
    /// # Errors
    /// A program is not built, or a part does not start.
    pub(crate) async fn set(open: bool, nats_server: Option<&std::path::Path>) -> anyhow::Result<Self> {
        let folder = TempDir::new().context("cannot make a temporary folder")?;
        std::fs::create_dir(folder.path().join(SCRATCH)).context("cannot make a folder")?;
        let (admin, signer) = (KeyPair::generate(KeyKind::User), Signer::new(folder.path().join("images"))?);
        let (canary, ports) = (Canary::start("secret of the internal network").await?, Ports::choose()?);
        let redirecting = redirecting(format!("http://127.0.0.1:{}/", canary.port)).await?;
        let plan = lattice::Plan {
            open,
            folder: folder.path(),
            ports: &ports,
            admin: admin.public_key().as_str(),
            signer: &signer,
            allowed: redirecting.port,
        };
        let up = plan.up(nats_server).await?;
        let people = People::gather(&plan).await?;
        let client = Client::new(people.operator.clone(), LatticeName::default(), SOON);
        let client = if open { client } else { client.signed_by(admin.clone()) };
        let found = client.get_hosts(Collect::default()).await?;
        let host = found.first().context("the host does not answer")?.id.clone();
        let spare = plan.spare().await?;
        lattice::until_serving(&client, &host, &ports).await?;
        let site =
            Site { client: &client, host: &host, signer: &signer, folder: &folder.path().join(SCRATCH) };
        let mole = site.enter("mole", Program::Tapped).await?;
        ensure!(
            open == mole.told.lattice_rpc_user_jwt.is_empty(),
            "a provider has credentials of its own, or needs none"
        );
        let captured = ear::capture(&people.auditor, &client, &host).await?;
        let http = Http::new();
        Ok(Self {
            open,
            ports,
            up,
            host,
            spare,
            people,
            mole,
            client,
            admin,
            signer,
            canary,
            redirecting,
            http,
            captured,
            sealed: None,
            has_vault: false,
            before: Before::default(),
            scratch: folder.path().join(SCRATCH),
            folder,
        })
    }

    /// The next attempt begins: what the logs say of those before is no evidence of it.
    pub(crate) fn begin(&mut self) {
        self.before = Before { nats: self.nats_text().len(), host: self.log().len() };
    }

    /// A command of the admin's as it goes over the wire now: one that is still good, however long the attempts before took.
    ///
    /// # Errors
    /// It is not carried out, or not heard.
    pub(crate) async fn capture(&self) -> anyhow::Result<Captured> {
        ear::capture(&self.people.auditor, &self.client, &self.host).await
    }

    /// One more host, for an attempt that costs it; without credentials, as an open lattice takes it.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn guest(&self) -> anyhow::Result<Spare> {
        let cache = self.file("guest-cache").display().to_string();
        let args = vec!["--cache-dir", &cache, "--drain-timeout", "1"];
        Spare::start(&self.ports.url(), args).await.context("a further host does not start")
    }

    /// Stops all of it.
    ///
    /// # Errors
    /// A part does not stop; dropping kills it.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        self.spare.host.process.terminate();
        if self.up.exited().is_none() {
            self.up.stop(WITHIN).await.context("`wash up` does not stop")?;
        }
        Ok(())
    }

    /// Where files of an attempt may go.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that a provider's process can write.
    pub(crate) fn mark(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// What of the lattice a command could change, as the admin sees it.
    pub(crate) async fn state(&self) -> anyhow::Result<Value> {
        let inventory = self.client.get_host_inventory(&self.host).await?;
        let actors: Vec<Value> = inventory
            .components
            .iter()
            .map(|actor| json!([actor.id, actor.image_ref, actor.max_instances]))
            .collect();
        let providers: Vec<Value> = inventory.providers.iter().map(|provider| json!(provider.id)).collect();
        let mut links: Vec<String> =
            self.client.get_links().await?.iter().map(|link| json!(link).to_string()).collect();
        links.sort();
        let loot = self.client.get_config(&"loot".parse()?).await?;
        let trust: Vec<Value> =
            self.client.get_trust().await?.iter().map(|entry| json!([entry.key, entry.standing])).collect();
        let roles: Vec<Value> = self
            .client
            .get_roles()
            .await?
            .iter()
            .map(|entry| json!([entry.key, entry.grant, entry.counts]))
            .collect();
        let secrets: Vec<Value> = self
            .client
            .list_secrets()
            .await?
            .iter()
            .map(|entry| json!([entry.name, entry.revision]))
            .collect();
        Ok(json!({
            "actors": actors, "providers": providers, "labels": inventory.labels, "links": links, "loot": loot,
            "trust": trust, "roles": roles, "secrets": secrets,
        }))
    }

    /// The log of the first host, as far as it is written.
    pub(crate) fn log(&self) -> String {
        self.up.output()
    }

    /// The NATS server's log, as far as it is written.
    pub(crate) fn nats_text(&self) -> String {
        let file = self.data().join(format!("up/nats-{}.log", self.ports.nats));
        std::fs::read_to_string(file).unwrap_or_default()
    }

    /// The last line of the NATS server's log that holds all of `words`, once there is one of this attempt.
    ///
    /// # Errors
    /// There is none within the time.
    pub(crate) async fn nats_log(&self, words: &[&str]) -> anyhow::Result<String> {
        let find = async || last_line(&self.nats_text(), self.before.nats, words);
        let awaited = format!("a line with {words:?} in the server's log");
        Ok(lattice_testkit::until(&awaited, SOON, find).await?)
    }

    /// The last line of the first host's log that holds all of `words`, once there is one of this attempt.
    ///
    /// # Errors
    /// There is none within the time.
    pub(crate) async fn host_log(&self, words: &[&str]) -> anyhow::Result<String> {
        let find = async || last_line(&self.log(), self.before.host, words);
        Ok(lattice_testkit::until(&format!("a line with {words:?} in the host's log"), SOON, find).await?)
    }

    /// The credentials, keys and logs of this machine.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A connection with what a provider's process was told by its host; where nobody is told apart, one like any other.
    pub(crate) fn provider(&self) -> Connection {
        self.mole.connection.clone()
    }

    /// Where providers are started: on the first host.
    pub(crate) fn site(&self) -> Site<'_> {
        self.site_of(&self.host)
    }

    /// The same on one of the two.
    pub(crate) fn site_of<'a>(&'a self, host: &'a HostId) -> Site<'a> {
        Site { client: &self.client, host, signer: &self.signer, folder: &self.scratch }
    }

    /// A provider's process of the id `vault` that nobody is in; its process.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn vault(&mut self) -> anyhow::Result<u32> {
        if !self.has_vault {
            self.site().start("vault", Program::Honest).await?;
            self.has_vault = true;
        }
        Ok(self.site().told("vault").await?.0)
    }

    /// The secrets that two actors were given, put when they are asked for first.
    ///
    /// # Errors
    /// They cannot be put, or the actors do not start.
    pub(crate) async fn secrets(&mut self) -> anyhow::Result<Sealed> {
        if self.sealed.is_none() {
            self.sealed = Some(Sealed::put(self).await?);
        }
        self.sealed.clone().context("they were put")
    }

    /// Runs `wash` as the operator of the lattice, and gives its exit code and what it said.
    ///
    /// # Errors
    /// It does not end.
    pub(crate) async fn wash(&self, args: &[&str]) -> anyhow::Result<(i32, String)> {
        let mut launch = lattice::wash(self.folder.path())?.args(args);
        launch = launch.env("WASMCLOUD_NATS_URL", self.ports.url());
        launch = launch.env("WASH_SIGNING_KEY", self.admin.seed().expose());
        let mut process = Process::spawn(launch)?;
        let status = process.wait(WITHIN).await?;
        Ok((status.code().unwrap_or(-1), process.output()))
    }
}

/// The last line of a log that holds all of `words`, past its first `before` bytes.
fn last_line(log: &str, before: usize, words: &[&str]) -> Option<String> {
    let said = log.get(before..).unwrap_or(log);
    said.lines().rev().find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned)
}
