//! A NATS of one's own as `wash nats init` makes it, with real servers: the document that tells how, a site that joins by TLS,
//! users that are revoked while they are there, and a leaf server without passwords.

mod document;
mod passwordless;
mod revoked;
mod tls;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use lattice_core::LatticeName;
use lattice_nats::{ConnectOptions, Credentials};
use lattice_testkit::{Launch, Process, Tools, free_port};
use lattice_tests::Stage;

/// How long a command may take on a busy machine.
const WITHIN: Duration = Duration::from_secs(90);

fn nats_server() -> PathBuf {
    Tools::of_workspace().nats_server(None, &mut |line| eprintln!("{line}")).unwrap()
}

/// Where a server may listen.
fn address() -> String {
    format!("127.0.0.1:{}", free_port().unwrap())
}

/// The server of a folder that `wash nats init` made.
async fn serve(folder: &Path) -> Process {
    let launch = Launch::program(nats_server()).args(["-c", "nats-server.conf"]).dir(folder);
    launch.ready("Server is ready", WITHIN).start().await.unwrap()
}

/// A first server that runs, and a site `plant` that may.
struct Own {
    stage: Stage,
    root: PathBuf,
    /// The URL of the first server, and where it takes leaf connections.
    hub: String,
    leaf: String,
    /// The URL of the site's server.
    plant: String,
    _server: Process,
}

impl Own {
    async fn set() -> Self {
        let stage = Stage::set().await;
        let (hub, leaf, plant, root) = (address(), address(), address(), stage.folder().join("own"));
        let dir = root.display().to_string();
        let first = ["nats", "init", &dir, "--listen", &hub, "--leaf-listen", &leaf];
        done(&stage, &[&first[..], &["--site", "plant", "--site-listen", &plant]].concat()).await;
        let server = serve(&root.join("server")).await;
        let url = |address: String| format!("nats://{address}");
        Self { stage, root, hub: url(hub), leaf, plant: url(plant), _server: server }
    }

    fn dir(&self) -> String {
        self.root.display().to_string()
    }

    fn creds(&self, user: &str) -> PathBuf {
        self.root.join(format!("users/{user}.creds"))
    }

    /// How a user logs in at a server.
    fn login(&self, url: &str, user: &str, lattice: &str) -> ConnectOptions {
        let mut options = ConnectOptions::to(url).on(&LatticeName::new(lattice).unwrap());
        options.credentials = Credentials::CredsFile(self.creds(user));
        options
    }
}

/// Runs `wash`, which has to succeed; what it says.
async fn done(stage: &Stage, args: &[&str]) -> String {
    let said = stage.run("wash", args).await;
    assert_eq!(said.code, 0, "{args:?}: {}", said.text);
    said.text
}
