//! One lattice on one NATS server.

use std::{ffi::OsString, path::Path, time::Duration};

use lattice_control_interface::{
    Client, Collect, HostInventory, ScaleComponentCommand, StartProviderCommand,
};
use lattice_core::{ActorId, Distance, HostId, LatticeName, Link, State};
use lattice_nats::{ConnectOptions, Connection};
use lattice_testkit::{Host, Http, NatsOptions, NatsServer, free_port, until};
use tempfile::TempDir;

use crate::{Cable, Signer};

/// How long anything that should happen may take, on a busy machine with a debug build.
const WITHIN: Duration = Duration::from_secs(60);

/// Hosts of a stage start the files that the scenario signs.
pub(crate) const ALLOW_FILES: (&str, &str) = ("WASMCLOUD_ALLOW_FILE_LOAD", "true");

/// A NATS server, a signer, and a client of the control protocol.
pub struct Stage {
    /// The server.
    pub nats: NatsServer,
    /// Who signs; hosts of this stage trust it.
    pub signer: Signer,
    /// A client on the default lattice.
    pub client: Client,
    /// The client's connection, for what the client does not cover.
    pub connection: Connection,
    /// HTTP requests.
    pub http: Http,
    folder: TempDir,
}

impl Stage {
    /// Sets the stage; no host yet.
    ///
    /// # Panics
    /// If a part cannot be started.
    pub async fn set() -> Self {
        Self::set_on(NatsOptions::default()).await
    }

    /// As [`Stage::set`], on a NATS server with these options.
    ///
    /// # Panics
    /// As there.
    pub async fn set_on(options: NatsOptions) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let nats = NatsServer::start_with(options).await.expect("nats-server starts");
        let options = ConnectOptions::to(&nats.url()).named("scenario");
        let connection = Connection::connect(options, WITHIN).await.expect("the scenario connects");
        let client = Client::new(connection.clone(), LatticeName::default(), Duration::from_secs(5));
        let signer = Signer::new(folder.path());
        Self { nats, signer, client, connection, http: Http::new(), folder }
    }

    /// A client on another lattice of the same server.
    ///
    /// # Panics
    /// If that is no name of a lattice.
    #[must_use]
    pub fn client_of(&self, lattice: &str) -> Client {
        let lattice = LatticeName::new(lattice).expect("a lattice's name");
        Client::new(self.connection.clone(), lattice, Duration::from_secs(5))
    }

    /// Where files of the scenario go.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the NATS server again after it was stopped or killed, and waits until the scenario itself is connected to it.
    ///
    /// # Panics
    /// If it does not start, or cannot be reached.
    pub async fn restart_nats(&mut self) {
        // A server has a new id each time it starts: being "connected" may still mean the one that is gone.
        let server = || self.connection.client().server_info().server_id;
        let gone = server();
        self.nats.restart().await.expect("nats-server starts again");
        let back = async || (server() != gone && self.connection.is_connected()).then_some(());
        until("the scenario is connected again", WITHIN, back).await.expect("the server is there");
    }

    /// Starts a host that trusts the stage's signer, with more flags, and gives its id.
    ///
    /// # Panics
    /// If the host does not become ready.
    pub async fn host(&self, flags: &[&str]) -> (Host, HostId) {
        self.host_at(&self.nats.url(), self.host_args(flags)).await
    }

    /// As [`Stage::host`], for a host that reaches the server by that cable alone.
    ///
    /// # Panics
    /// As there.
    pub async fn host_over(&self, cable: &Cable, flags: &[&str]) -> (Host, HostId) {
        self.host_at(&cable.url(), self.host_args(flags)).await
    }

    fn host_args(&self, flags: &[&str]) -> Vec<OsString> {
        let cache = self.folder.path().join("cache");
        let mut args: Vec<OsString> =
            vec!["--trust".into(), self.signer.account().into(), "--cache-dir".into()];
        args.push(cache.into());
        args.extend(flags.iter().map(Into::into));
        args
    }

    /// Starts a host with exactly these flags besides server and data folder.
    ///
    /// # Panics
    /// If the host does not become ready.
    pub async fn host_with(&self, args: Vec<OsString>) -> (Host, HostId) {
        self.host_at(&self.nats.url(), args).await
    }

    async fn host_at(&self, url: &str, args: Vec<OsString>) -> (Host, HostId) {
        let host = Host::start(url, args, &[ALLOW_FILES]).await.expect("the host becomes ready");
        let line = host.process.output();
        let id = line.split("wasmcloud ready: host ").nth(1).and_then(|rest| rest.split_whitespace().next());
        let id = HostId::new(id.unwrap_or_default()).expect("the ready line names the host");
        (host, id)
    }

    /// Starts an actor and waits for the event that says how it went.
    ///
    /// # Errors
    /// The text of the refusal or of the failure.
    pub async fn start_actor(
        &self,
        host: &HostId,
        id: &str,
        image: &Path,
        concurrency: u32,
    ) -> Result<(), String> {
        let id: ActorId = id.parse().expect("an actor id");
        let command = ScaleComponentCommand::new(id, image.display().to_string(), concurrency);
        self.scale(host, &command).await
    }

    /// Starts an actor with whatever else a command may ask for, and waits for the event that says how it went.
    ///
    /// # Errors
    /// The text of the refusal or of the failure.
    pub async fn scale(&self, host: &HostId, command: &ScaleComponentCommand) -> Result<(), String> {
        let scaled = self.client.scale_component_and_wait(host, command, WITHIN).await;
        scaled.map(drop).map_err(|error| error.to_string())
    }

    /// Starts a provider and waits for the event that says how it went.
    ///
    /// # Errors
    /// The text of the refusal or of the failure.
    pub async fn start_provider(&self, host: &HostId, id: &str, image: &str) -> Result<(), String> {
        let command = StartProviderCommand::new(id.parse().expect("a provider id"), image);
        self.client
            .start_provider_and_wait(host, &command, WITHIN)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// Puts a link whose configuration for the provider's end is made on the way.
    ///
    /// # Panics
    /// If the lattice refuses either.
    pub async fn link(&self, source: &str, target: &str, contract: &str, config: &[(&str, &str)]) {
        self.link_at(source, target, contract, config, Distance::default()).await;
    }

    /// As [`Stage::link`], for calls that go as far as `distance` says.
    ///
    /// # Panics
    /// As there.
    pub async fn link_at(
        &self,
        source: &str,
        target: &str,
        contract: &str,
        config: &[(&str, &str)],
        distance: Distance,
    ) {
        let (namespace, package) = contract.split_once(':').expect("a contract");
        let name = format!("{source}-{target}-{package}");
        let values = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.client.put_config(&name.parse().expect("a name"), &values).await.expect("the config is put");
        let both: Vec<_> = (!config.is_empty()).then(|| name.parse().expect("a name")).into_iter().collect();
        let link = Link {
            source: source.parse().expect("an id"),
            target: target.parse().expect("an id"),
            name: "default".parse().expect("a name"),
            wit_namespace: namespace.to_owned(),
            wit_package: package.to_owned(),
            interfaces: Vec::new(),
            source_config: both.clone(),
            target_config: both,
            source_secrets: Vec::new(),
            target_secrets: Vec::new(),
            distance,
        };
        self.client.put_link(&link).await.expect("the link is put");
    }

    /// A host with an HTTP server `http` on a free port, and `actor` behind it; gives the address too.
    ///
    /// # Panics
    /// If any of it does not start.
    pub async fn serving(&self, flags: &[&str], actor: &str, concurrency: u32) -> (Host, HostId, String) {
        let image = self.signer.example(actor).display().to_string();
        let command = ScaleComponentCommand::new(actor.parse().expect("an actor id"), image, concurrency);
        self.serving_as(flags, &command).await
    }

    /// As [`Stage::serving`], with whatever else a command may ask for.
    ///
    /// # Panics
    /// As there.
    pub async fn serving_as(
        &self,
        flags: &[&str],
        command: &ScaleComponentCommand,
    ) -> (Host, HostId, String) {
        let (host, id) = self.host(flags).await;
        let address = format!("127.0.0.1:{}", free_port().expect("a free port"));
        self.start_provider(&id, "http", "builtin://http-server").await.expect("the server starts");
        self.scale(&id, command).await.expect("the actor starts");
        let actor = command.component_id.as_str();
        self.link("http", actor, "wasi:http", &[("address", &address)]).await;
        self.until_link(&id, "http", actor, |state| *state == State::Ready).await;
        (host, id, address)
    }

    /// A host with the HTTP server `http` alone, on a free port; gives the address too. Actors behind it run elsewhere.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn front(&self, flags: &[&str]) -> (Host, HostId, String) {
        let (host, id) = self.host(flags).await;
        let address = format!("127.0.0.1:{}", free_port().expect("a free port"));
        self.start_provider(&id, "http", "builtin://http-server").await.expect("the server starts");
        (host, id, address)
    }

    /// Starts the actor `probe`, whose `/config?key=host` answers with `name`: so one sees who took a call.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start_named_probe(&self, host: &HostId, name: &str, concurrency: u32) {
        let config = format!("probe-on-{name}").parse().expect("a name");
        let values = [("host".to_owned(), name.to_owned())].into();
        self.client.put_config(&config, &values).await.expect("the config is put");
        let image = self.signer.example("probe").display().to_string();
        let mut command = ScaleComponentCommand::new("probe".parse().expect("an id"), image, concurrency);
        command.config = vec![config];
        self.scale(host, &command).await.expect("the actor starts");
    }

    /// Asks the actor `probe` behind `address` who it is.
    ///
    /// # Errors
    /// What came instead of an answer.
    pub async fn who_answers(&self, address: &str) -> Result<String, String> {
        let answer = self.http.get(&format!("http://{address}/config?key=host")).await;
        let answer = answer.map_err(|error| error.to_string())?;
        match (answer.status, answer.json()["store"].as_str()) {
            (200, Some(name)) => Ok(name.to_owned()),
            _ => Err(format!("{}: {}", answer.status, answer.text())),
        }
    }

    /// One more actor behind the server `http` of [`Stage::serving`], on a path of its own.
    ///
    /// # Panics
    /// If any of it does not start.
    pub async fn beside(&self, host: &HostId, actor: &str, address: &str, path: &str) {
        self.start_actor(host, actor, &self.signer.example(actor), 10).await.expect("the actor starts");
        self.link("http", actor, "wasi:http", &[("address", address), ("path", path)]).await;
        self.until_link(host, "http", actor, |state| *state == State::Ready).await;
    }

    /// Waits until no call of an actor is under way or waits for its turn.
    ///
    /// # Panics
    /// If there always is one: a permit leaked.
    pub async fn until_idle(&self, host: &HostId, actor: &str) {
        self.until_load(host, actor, |in_flight, waiting| (in_flight, waiting) == (0, 0)).await;
    }

    /// Waits until the calls of an actor that are under way, and those that wait, are as wanted.
    ///
    /// # Panics
    /// If they never are; with the last inventory.
    pub async fn until_load(&self, host: &HostId, actor: &str, wanted: impl Fn(u64, u64) -> bool) {
        self.until(host, |inventory| {
            let mut found = inventory.components.iter().filter(|component| component.id.as_str() == actor);
            found.any(|component| {
                component.in_flight.zip(component.waiting).is_some_and(|(busy, waits)| wanted(busy, waits))
            })
        })
        .await;
    }

    /// Waits until a link's state is as wanted.
    ///
    /// # Panics
    /// If it never is; with the last inventory.
    pub async fn until_link(
        &self,
        host: &HostId,
        source: &str,
        target: &str,
        wanted: impl Fn(&State) -> bool,
    ) {
        self.until(host, |inventory| {
            let links = inventory.links.iter().flatten();
            let mut found =
                links.filter(|link| link.source_id.as_str() == source && link.target.as_str() == target);
            found.any(|link| link.state().is_some_and(|state| wanted(&state)))
        })
        .await;
    }

    /// Waits until a host's inventory is as wanted, and gives it.
    ///
    /// # Panics
    /// If it never is; with the last inventory.
    pub async fn until(&self, host: &HostId, wanted: impl Fn(&HostInventory) -> bool) -> HostInventory {
        let end = tokio::time::Instant::now() + WITHIN;
        loop {
            // A host that is just starting, or busy, answers a later one.
            let said = self.client.get_host_inventory(host).await;
            match said {
                Ok(inventory) if wanted(&inventory) => return inventory,
                said => assert!(tokio::time::Instant::now() < end, "not as wanted: {said:#?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until each of these hosts hears as many others as given.
    ///
    /// # Panics
    /// If one never does; with what the hosts last said.
    pub async fn until_peers(&self, hosts: &[&HostId], peers: u32) {
        let end = tokio::time::Instant::now() + WITHIN;
        loop {
            // While NATS is away nobody says anything.
            let said = self.client.get_hosts(Collect::default()).await.unwrap_or_default();
            let hears = |host: &&HostId| said.iter().any(|one| one.id == **host && one.peers == Some(peers));
            if hosts.iter().all(hears) {
                return;
            }
            assert!(tokio::time::Instant::now() < end, "not as wanted: {said:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The hosts that answer a ping.
    ///
    /// # Panics
    /// If NATS does not answer.
    pub async fn hosts(&self) -> Vec<lattice_control_interface::Host> {
        self.client.get_hosts(Collect::default()).await.expect("NATS answers")
    }
}
