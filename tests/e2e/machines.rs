//! Hosts on other machines: network namespaces of their own, joined by nothing but a cable and NATS.

use std::{
    process::{Command, Output},
    time::{Duration, Instant},
};

use lattice_core::HostId;
use lattice_testkit::{Launch, NatsOptions, Process, binary};
use lattice_tests::Stage;

const WITHIN: Duration = Duration::from_secs(60);

/// A machine in the model: a network namespace with a cable to this one. Gone when dropped.
struct Machine {
    name: String,
    cable: String,
    /// Under which address this machine is seen from there.
    here: String,
}

fn ip(args: &[&str]) -> Result<Output, String> {
    let output =
        Command::new("ip").args(args).output().map_err(|error| format!("`ip` does not start: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!("ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim())),
    }
}

impl Machine {
    /// The machine `number`; the error says why this system makes none.
    fn new(number: u8) -> Result<Self, String> {
        let unique = std::process::id() % 60_000;
        let (name, cable) = (format!("lattice-{unique}-{number}"), format!("lt{unique}n{number}"));
        // Addresses for tests between devices (RFC 2544): on no network by right, and each run has its own.
        let net = format!("198.{}.{}", 18 + unique / 250 % 2, unique % 250);
        let (here, there) = (format!("{net}.{}", number * 4 + 1), format!("{net}.{}", number * 4 + 2));
        ip(&["netns", "add", &name])?;
        let machine = Self { name, cable, here };
        let (name, cable) = (machine.name.as_str(), machine.cable.as_str());
        let far = format!("{cable}f");
        ip(&["link", "add", cable, "type", "veth", "peer", "name", &far])?;
        ip(&["link", "set", &far, "netns", name])?;
        ip(&["address", "add", &format!("{}/30", machine.here), "dev", cable])?;
        ip(&["link", "set", cable, "up"])?;
        ip(&["-n", name, "address", "add", &format!("{there}/30"), "dev", &far])?;
        ip(&["-n", name, "link", "set", &far, "up"])?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        Ok(machine)
    }

    /// Cuts the cable, or mends it.
    fn cable(&self, state: &str) {
        ip(&["link", "set", &self.cable, state]).expect("the cable is there");
    }

    async fn host(&self, stage: &Stage) -> (Process, HostId) {
        let program = binary("wasmcloud").expect("our programs are built");
        let data = stage.folder().join(&self.name);
        let url = format!("nats://{}:{}", self.here, stage.nats.port());
        let launch = Launch::program("ip")
            .args(["netns", "exec", &self.name])
            .arg(program)
            .args(["--open", "--nats-url", url.as_str(), "--trust", stage.signer.account(), "--data-dir"])
            .arg(&data)
            .arg("--cache-dir")
            .arg(stage.folder().join("cache"))
            .ready("wasmcloud ready", WITHIN);
        let process = launch.start().await.unwrap_or_else(|error| panic!("{error}"));
        let line = process.output();
        let id = line.split("wasmcloud ready: host ").nth(1).and_then(|rest| rest.split_whitespace().next());
        (process, HostId::new(id.unwrap_or_default()).expect("the ready line names the host"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The far end of the cable goes with its namespace.
        let _ = ip(&["link", "delete", &self.cable]);
        let _ = ip(&["netns", "delete", &self.name]);
    }
}

#[tokio::test]
async fn hosts_on_other_machines_see_each_other_and_a_cut_cable_is_a_loss() {
    if std::env::var_os("LATTICE_TESTS_WITHOUT_ROOT").is_some() {
        return;
    }
    let machine = |number| {
        Machine::new(number).unwrap_or_else(|why| {
            panic!("{why}; network namespaces need root and iproute2: cargo xtask test --without root")
        })
    };
    let (first, second) = (machine(0), machine(1));
    let config = "host: \"0.0.0.0\"".to_owned();
    let stage = Stage::set_on(NatsOptions { config, ..NatsOptions::default() }).await;
    let ((_one, one), (_two, two)) = (first.host(&stage).await, second.host(&stage).await);
    let ready = Instant::now();
    stage.until_peers(&[&one, &two], 1).await;
    eprintln!("both see each other {:?} after the second is ready", ready.elapsed());

    let mut events = stage.listen().await;
    second.cable("down");
    let cut = Instant::now();
    events.wait("host_lost", |data| data["host_id"] == two.as_str()).await;
    eprintln!("lost {:?} after the cable was cut", cut.elapsed());
    stage.until_peers(&[&one], 0).await;
    second.cable("up");
    let mended = Instant::now();
    events.wait("host_back", |data| data["host_id"] == two.as_str()).await;
    eprintln!("back {:?} after the cable was mended", mended.elapsed());
    stage.until_peers(&[&one, &two], 1).await;
    // The one that was cut off judged nobody.
    assert!(events.named("host_lost").all(|event| event.data()["host_id"] == two.as_str()));
}
