//! Two hosts on one NATS: the first listens for HTTP, the second runs the actors.

use std::{
    ffi::OsStr,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use lattice_testkit::{Http, Launch, NatsServer, Process, actor_file, free_port, until};

use super::servers::release;

const SOON: Duration = Duration::from_secs(30);

/// Where a body comes back as it was sent.
pub(super) const BODY_PATH: &str = "/mirror";

/// A NATS server, and where its users' credentials are; nowhere where it asks for none.
pub(super) struct Broker {
    /// Where it listens.
    pub(super) url: String,
    /// A folder of `.creds` files, by user.
    pub(super) users: Option<PathBuf>,
}

impl Broker {
    /// One that takes everybody.
    pub(super) fn open(nats: &NatsServer) -> Self {
        Self { url: nats.url(), users: None }
    }

    /// The credentials of a user, where any are asked for.
    pub(super) fn creds(&self, user: &str) -> Option<PathBuf> {
        Some(self.users.as_ref()?.join(user).with_extension("creds"))
    }
}

/// A host of the release build with folders of its own.
pub(super) struct BenchHost {
    /// Its id.
    pub(super) id: String,
    /// The process.
    pub(super) process: Process,
    _folder: tempfile::TempDir,
}

/// In whose name the bench calls `target`: a source has one link of a name for a contract.
pub(super) fn caller_of(target: &str) -> String {
    format!("bench-{target}")
}

/// Two hosts, linked and ready.
pub(super) struct Pair {
    /// Runs the HTTP server.
    pub(super) first: BenchHost,
    /// Runs `fresh` and `reuse`, both `calculator`, and `hello` and `mirror` behind the first one's server.
    pub(super) second: BenchHost,
    /// Where the first one listens.
    pub(super) http: SocketAddr,
}

impl BenchHost {
    pub(super) async fn start(broker: &Broker) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let launch = Launch::program(release("wasmcloud"))
            .args([
                "--allow-unsigned",
                "--allow-file-load",
                "--log-level",
                "warn",
                "--open",
                "--nats-url",
                &broker.url,
            ])
            .args(broker.creds("host").into_iter().flat_map(|file| [PathBuf::from("--nats-creds"), file]))
            .arg("--data-dir")
            .arg(folder.path().join("data"))
            .arg("--cache-dir")
            .arg(folder.path().join("cache"))
            .ready("wasmcloud ready", SOON);
        let process = launch.start().await?;
        let output = process.output();
        let line = output.split("wasmcloud ready: host ").nth(1);
        let id =
            line.and_then(|rest| rest.split_whitespace().next()).context("the host does not say its id")?;
        Ok(Self { id: id.to_owned(), process, _folder: folder })
    }

    /// The most memory that the process ever held, in KiB.
    pub(super) fn peak_kib(&self) -> anyhow::Result<u64> {
        let file = format!("/proc/{}/status", self.process.id());
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.with_context(|| format!("{file} does not tell the peak"))
    }
}

impl Pair {
    pub(super) async fn start(nats: &NatsServer) -> anyhow::Result<Self> {
        let broker = Broker::open(nats);
        let (first, second) = (BenchHost::start(&broker).await?, BenchHost::start(&broker).await?);
        let http = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let (calculator, hello, mirror) =
            (actor_file("calculator")?, actor_file("hello")?, actor_file("misbehave")?);
        let [one, two] = [["--host-id", &first.id], ["--host-id", &second.id]];
        let wash = async |words: &[&str]| wash(&broker, words).await;
        let calculator = calculator.display().to_string();
        wash(&[&["start", "actor", &calculator, "fresh"], &two[..]].concat()).await?;
        wash(&[&["start", "actor", &calculator, "reuse", "--reuse", "1000000"], &two[..]].concat()).await?;
        wash(&[&["start", "actor", &hello.display().to_string(), "hello"], &two[..]].concat()).await?;
        wash(&[&["start", "actor", &mirror.display().to_string(), "mirror"], &two[..]].concat()).await?;
        wash(&[&["start", "provider", "builtin://http-server", "http"], &one[..]].concat()).await?;
        for target in ["fresh", "reuse"] {
            wash(&["link", "put", &caller_of(target), target, "demo:calls"]).await?;
        }
        let address = format!("address={http}");
        wash(&["link", "put", "http", "hello", "wasi:http", &address]).await?;
        let path = format!("path={BODY_PATH}");
        let limits = ["max_body_bytes=4294967296", "request_timeout_ms=150000"];
        wash(&[&["link", "put", "http", "mirror", "wasi:http", &address, &path], &limits[..]].concat())
            .await?;
        let url = format!("http://{http}/");
        let client = Http::new();
        until("the actor on the other host answers", SOON, async || {
            client.get(&url).await.is_ok_and(|answer| answer.status == 200).then_some(())
        })
        .await?;
        Ok(Self { first, second, http })
    }
}

/// Runs `wash` of the release build against that NATS server.
pub(super) async fn wash(broker: &Broker, words: &[impl AsRef<OsStr>]) -> anyhow::Result<()> {
    let creds = broker.creds("operator");
    let creds = creds.as_deref().map(|file| ("WASMCLOUD_CTL_CREDS", file.as_os_str()));
    run_wash(words, [("WASMCLOUD_NATS_URL", OsStr::new(&broker.url))].into_iter().chain(creds)).await
}

/// Makes a NATS that takes nobody without credentials; [`Broker::users`] of it is `DIR/users`.
pub(super) async fn nats_init(dir: &Path, listen: SocketAddr, tools: &[String]) -> anyhow::Result<()> {
    let (dir, listen) = (dir.display().to_string(), listen.to_string());
    let leaf = SocketAddr::from(([127, 0, 0, 1], free_port()?)).to_string();
    let none: [(&str, &OsStr); 0] = [];
    run_wash(&["nats", "init", &dir, "--listen", &listen, "--leaf-listen", &leaf], none).await?;
    for tool in tools {
        run_wash(&["nats", "user", "add", &dir, tool, "--role", "tool"], none).await?;
    }
    Ok(())
}

async fn run_wash<'a>(
    words: &[impl AsRef<OsStr>],
    env: impl IntoIterator<Item = (&'static str, &'a OsStr)>,
) -> anyhow::Result<()> {
    let mut command = tokio::process::Command::new(release("wash"));
    command.args(words).envs(env).kill_on_drop(true);
    let shown: Vec<_> = words.iter().map(|word| word.as_ref().to_string_lossy()).collect();
    let shown = shown.join(" ");
    let output = tokio::time::timeout(SOON, command.output())
        .await
        .with_context(|| format!("wash {shown} did not end"))?
        .context("cannot start wash")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "wash {shown} failed: {}", said.trim());
    Ok(())
}
