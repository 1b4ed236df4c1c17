//! Who is connected to the NATS server: one who sees everything, and the attackers.

use anyhow::Context as _;
use lattice_claims::{
    KeyKind, KeyPair,
    nats::{UserGrant, UserToken},
};
use lattice_core::{HostId, LatticeName, permission::Permissions};
use lattice_nats::{ConnectError, ConnectOptions, Connection, Credentials, Secret};
use lattice_testkit::Process;
use serde_json::Value;

use super::{
    SOON, WITHIN,
    lattice::{Plan, wash},
    now,
};

/// Everybody's connection. In a lattice without credentials they are all alike.
pub(crate) struct People {
    /// Sees and may do everything: looks whether something came of an attempt.
    pub(crate) auditor: Connection,
    /// The credentials that `wash up` made for whoever steers.
    pub(crate) operator: Connection,
    /// Somebody who may look.
    pub(crate) viewer: Connection,
    /// The credentials of hosts.
    pub(crate) host: Connection,
    /// The seed that signs users of the lattice's account; only where there is one.
    pub(crate) account: Option<KeyPair>,
}

impl People {
    /// Makes users by `wash`, as an operator does, and connects them.
    pub(super) async fn gather(plan: &Plan<'_>) -> anyhow::Result<Self> {
        let url = plan.ports.url();
        if plan.open {
            let bare = async |name: &str| connect(ConnectOptions::to(&url).named(name)).await;
            return Ok(Self {
                auditor: bare("auditor").await?,
                operator: bare("operator").await?,
                viewer: bare("vera").await?,
                host: bare("host-thief").await?,
                account: None,
            });
        }
        let own = plan.own_nats();
        let seed =
            std::fs::read_to_string(own.join("keys/account.nk")).context("the account's key is not there")?;
        let account = KeyPair::from_seed(seed.trim())?;
        let users = own.join("users");
        let with = async |name: &str, file: std::path::PathBuf| {
            let credentials = Credentials::CredsFile(file);
            connect(ConnectOptions { credentials, ..ConnectOptions::to(&url).named(name) }).await
        };
        let vera = add_user(plan, "vera", "viewer").await?;
        Ok(Self {
            auditor: auditor(&url, &account).await?,
            operator: with("operator", users.join("operator.creds")).await?,
            viewer: with("vera", vera).await?,
            host: as_host(&url, users.join("host.creds")).await?,
            account: Some(account),
        })
    }
}

/// Adds a user; the file of its credentials.
async fn add_user(plan: &Plan<'_>, name: &str, role: &str) -> anyhow::Result<std::path::PathBuf> {
    let own = plan.own_nats();
    let launch = wash(plan.folder)?.args(["nats", "user", "add"]).arg(own);
    let mut process = Process::spawn(launch.args([name, "--role", role, "-o", "json"]))?;
    let status = process.wait(WITHIN).await?;
    anyhow::ensure!(status.success(), "wash nats user add {name}: {}", process.output());
    let said: Value = serde_json::from_str(process.output().trim()).context("wash printed no JSON")?;
    Ok(said["credentials"].as_str().context("wash names no file")?.into())
}

/// Somebody who may do everything, signed by the lattice's own account.
async fn auditor(url: &str, account: &KeyPair) -> anyhow::Result<Connection> {
    let key = KeyPair::generate(KeyKind::User);
    let all = || vec![">".to_owned()];
    let token = UserToken {
        name: "auditor".to_owned(),
        user: key.public_key().clone(),
        account: None,
        grant: UserGrant::Own { role: None, permissions: Permissions { publish: all(), subscribe: all() } },
        issued: now(),
        expires: None,
    };
    let jwt = token.sign(account)?;
    let credentials = Credentials::JwtSeed { jwt, seed: Secret::new(key.seed().expose()) };
    connect(ConnectOptions { credentials, ..ConnectOptions::to(url).named("auditor") }).await
}

/// Somebody with a host's credentials, of which the answers come back to a host alone.
async fn as_host(url: &str, file: std::path::PathBuf) -> anyhow::Result<Connection> {
    let host = HostId::new(KeyPair::generate(KeyKind::Host).public_key().as_str())?;
    let credentials = Credentials::CredsFile(file);
    let options = ConnectOptions { credentials, ..ConnectOptions::to(url).named("host-thief") };
    connect(options.as_host(&LatticeName::default(), &host)).await
}

/// Connects somebody who has to get in.
pub(crate) async fn connect(options: ConnectOptions) -> anyhow::Result<Connection> {
    let name = options.name.clone();
    connect_bare(options).await.with_context(|| format!("{name} cannot connect"))
}

/// Connects somebody, or tells why not.
pub(crate) async fn connect_bare(options: ConnectOptions) -> Result<Connection, ConnectError> {
    let options = if options.member.is_some() { options } else { options.on(&LatticeName::default()) };
    Connection::connect(options, SOON).await
}
