//! The processes of the lattice: `wash up`, and one more host.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use lattice_control_interface::Client;
use lattice_core::HostId;
use lattice_testkit::{Host, Http, Launch, Process, Tools, free_port, until, workspace_root};

use super::{Signer, WITHIN};

/// How long tokens of the second host's providers count: as long as an attempt can wait for their end.
pub(crate) const SHORT_SECONDS: &str = "10";

/// Where the lattice listens.
#[derive(Debug)]
pub(crate) struct Ports {
    /// NATS.
    pub(crate) nats: u16,
    /// The HTTP server in front of the actors.
    pub(crate) http: u16,
}

impl Ports {
    pub(super) fn choose() -> anyhow::Result<Self> {
        Ok(Self { nats: free_port()?, http: free_port()? })
    }

    /// The NATS server's URL.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.nats)
    }
}

/// A host that an attempt may cost.
pub(crate) struct Spare {
    /// The process.
    pub(crate) host: Host,
    /// Its id.
    pub(crate) id: HostId,
}

/// What is started, and how.
pub(super) struct Plan<'a> {
    pub(super) open: bool,
    pub(super) folder: &'a Path,
    pub(super) ports: &'a Ports,
    pub(super) admin: &'a str,
    pub(super) signer: &'a Signer,
    /// The port of the one server that the actor `courier` may ask.
    pub(super) allowed: u16,
}

/// `wash` with a home of its own.
pub(super) fn wash(folder: &Path) -> anyhow::Result<Launch> {
    let mut launch = Launch::binary("wash")?;
    for (variable, name) in [
        ("WASMCLOUD_DATA_DIR", "data"),
        ("WASH_KEYS", "keys"),
        ("WASH_CONTEXTS", "contexts"),
        ("WASMCLOUD_CACHE_DIR", "cache"),
        // No login of whoever runs this may help.
        ("DOCKER_CONFIG", "docker"),
    ] {
        launch = launch.env(variable, folder.join(name));
    }
    Ok(launch)
}

impl Plan<'_> {
    /// The folder in which `wash up` keeps operator, account and users.
    pub(super) fn own_nats(&self) -> PathBuf {
        self.folder.join(format!("data/nats/{}/closed", self.ports.nats))
    }

    /// A NATS server and a host with actors, as `wash up` makes them for everybody; closed, it takes signed commands alone.
    pub(super) async fn up(&self, nats_server: Option<&Path>) -> anyhow::Result<Process> {
        for actor in ["hello", "echo", "calculator", "probe", "kvcounter", "keyring"] {
            self.signer.example(actor)?;
        }
        let server = Tools::of_workspace().nats_server(nats_server, &mut |line| eprintln!("{line}"))?;
        let manifest = workspace_root().join("examples/lattices/attack/lattice.yaml");
        let mut launch =
            wash(self.folder)?.arg("up").arg("--nats-server").arg(server).arg("-m").arg(manifest);
        launch = launch.args(["--nats-port", &self.ports.nats.to_string(), "--trust", self.signer.account()]);
        launch = launch.env("ATTACK_HTTP", format!("127.0.0.1:{}", self.ports.http));
        launch = launch.env("ATTACK_IMAGES", self.signer.folder());
        launch = launch.env("ATTACK_ALLOWED", format!("127.0.0.1:{}", self.allowed));
        launch = match self.open {
            true => launch.args(["--open", "--"]),
            false => launch.args(["--", "--require-signed-control", "--admin", self.admin]),
        };
        launch = launch.args(["--drain-timeout", "1"]);
        Ok(launch.ready("press Ctrl-C to stop", WITHIN).start().await?)
    }

    /// A second host, with a data folder of its own and the credentials of the first.
    pub(super) async fn spare(&self) -> anyhow::Result<Spare> {
        let creds = self.own_nats().join("users/host.creds").display().to_string();
        let cache = self.folder.join("spare-cache").display().to_string();
        let mut args = vec!["--trust", self.signer.account(), "--cache-dir", &cache, "--drain-timeout", "1"];
        args.extend(["--provider-token-seconds", SHORT_SECONDS]);
        if !self.open {
            args.extend(["--nats-creds", &creds, "--require-signed-control", "--admin", self.admin]);
        }
        Spare::start(&self.ports.url(), args).await.context("the second host does not start")
    }
}

impl Spare {
    /// Starts one that loads files, with a data folder of its own.
    pub(super) async fn start(url: &str, args: Vec<&str>) -> anyhow::Result<Self> {
        let host = Host::start(url, args, &[("WASMCLOUD_ALLOW_FILE_LOAD", "true")]).await?;
        let said = host.process.output();
        let id = said.split("wasmcloud ready: host ").nth(1).and_then(|rest| rest.split_whitespace().next());
        let id = HostId::new(id.unwrap_or_default()).context("it does not say who it is")?;
        Ok(Self { host, id })
    }
}

/// Waits until the actors behind the HTTP server answer, and those that may ask others can.
pub(super) async fn until_serving(client: &Client, host: &HostId, ports: &Ports) -> anyhow::Result<()> {
    let (http, url) = (Http::new(), format!("http://127.0.0.1:{}/", ports.http));
    for name in ["hello.test", "echo.test", "tourist.test", "courier.test"] {
        let answers = async || {
            let answer = http.send("GET", &url, &[("host", name)], "").await.ok()?;
            (answer.status == 200).then_some(())
        };
        until(&format!("{name} answers"), WITHIN, answers).await?;
    }
    let linked = async || {
        let inventory = client.get_host_inventory(host).await.ok()?;
        let ready = inventory.links.iter().flatten().filter(|link| link.target.as_str() == "outside");
        (ready.filter(|link| link.state == "ready").count() == 2).then_some(())
    };
    Ok(until("the actors are linked to the HTTP client", WITHIN, linked).await?)
}
