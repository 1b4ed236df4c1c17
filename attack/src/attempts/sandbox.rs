//! From inside the sandbox: the machine, the network around it, and what no link gives.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_control_interface::{CallComponentCommand, HttpCall, ScaleComponentCommand};
use lattice_testkit::until;
use serde_json::Value;

use super::{calls::TOLD, images::stop};
use crate::{
    attempt::{By, Outcome},
    scene::{Events, SOON, Scene, WITHIN},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// What an actor that is told to do something by its path answers.
pub(crate) async fn tell(scene: &Scene, actor: &str, path: &str) -> anyhow::Result<(u16, Value)> {
    let url = format!("http://127.0.0.1:{}{path}", scene.ports.http);
    let answer = scene.http.send("GET", &url, &[("host", &format!("{actor}.test"))], "").await?;
    let body = serde_json::from_slice(&answer.body).unwrap_or_else(|_| Value::String(answer.text()));
    Ok((answer.status, body))
}

/// Lets an actor fetch `url`; the error of its HTTP client, or what it got.
async fn fetch(scene: &Scene, actor: &str, url: &str) -> anyhow::Result<Result<String, String>> {
    match tell(scene, actor, &format!("/http?url={url}")).await? {
        (502, body) if body["error"].is_string() => {
            Ok(Err(body["error"].as_str().unwrap_or_default().to_owned()))
        }
        (_, body) => Ok(Ok(body.as_str().map_or_else(|| body.to_string(), str::to_owned))),
    }
}

/// Files, environment, arguments, sockets.
pub(crate) fn machine(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let (status, seen) = tell(scene, "tourist", "/env").await?;
        ensure!(status == 200, "{seen}");
        let counts = ["arguments", "environment", "preopens"].map(|what| seen[what].as_u64());
        let is_shut = |what: &str| seen[what].as_str().is_some_and(|said| said.starts_with("refused: "));
        match counts == [Some(0); 3] && is_shut("file") && is_shut("socket") {
            true => Ok(Outcome::refused(By::Runtime, "the actor's own answer", seen.to_string())),
            false => Ok(Outcome::succeeded(seen.to_string())),
        }
    }
    .boxed_local()
}

/// How a URL has to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Its address, or that of its name, is none of the public internet.
    Private,
    /// It holds more than a host and a port, or a port that is none: nobody is asked for such an address.
    Malformed,
}

impl Refusal {
    /// The error that the actor gets, and no other.
    fn error(self) -> &'static str {
        match self {
            Refusal::Private => "ErrorCode::HttpRequestDenied",
            Refusal::Malformed => "ErrorCode::HttpRequestUriInvalid",
        }
    }

    /// What the host's log says of a request to `authority`, beside the actor.
    fn words(self, authority: &str) -> Vec<String> {
        match self {
            Refusal::Private => {
                vec![format!("request to {authority} denied"), "is not of the public internet".to_owned()]
            }
            Refusal::Malformed => vec!["the request is malformed".to_owned()],
        }
    }
}

/// A host as it stands in a URL, its port, and how it has to be refused.
type Target<'a> = (&'a str, u16, Refusal);

/// Hosts on one port, each of which leads to this machine or its network.
fn private<'a>(hosts: &[&'a str], port: u16) -> Vec<Target<'a>> {
    hosts.iter().map(|host| (*host, port, Refusal::Private)).collect()
}

/// How many lines of the host's log hold all of `words`.
fn lines(scene: &Scene, words: &[String]) -> usize {
    scene.log().lines().filter(|line| words.iter().all(|word| line.contains(word.as_str()))).count()
}

/// Lets `actor` ask for something that has to be refused: with this very error, with a line of its own in the host's log, and
/// without anybody coming to the canary. The line; or what it got.
async fn denied(
    scene: &Scene,
    actor: &str,
    url: &str,
    error: &str,
    mut words: Vec<String>,
) -> anyhow::Result<Result<String, String>> {
    words.push(actor.to_owned());
    let (known, visits) = (lines(scene, &words), scene.canary.visits());
    match fetch(scene, actor, url).await? {
        Ok(got) => return Ok(Err(format!("{url}: {got}"))),
        Err(said) => ensure!(said == error, "{url}: {said}, and not {error}"),
    }
    let told = async || (lines(scene, &words) > known).then_some(());
    until(&format!("the host's log tells of {url} in a line of its own with {words:?}"), SOON, told).await?;
    ensure!(scene.canary.visits() == visits, "{url}: somebody came to the canary");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(Ok(scene.host_log(&words).await?))
}

/// An actor without leave for private networks asks for each of these, and is refused each for its reason.
async fn refused(scene: &Scene, targets: &[Target<'_>]) -> anyhow::Result<Outcome> {
    let mut events = Events::of(&scene.people.auditor).await?;
    let mut evidence = String::new();
    for (host, port, refusal) in targets {
        let (url, authority) = (format!("http://{host}:{port}/"), format!("{host}:{port}"));
        match denied(scene, "tourist", &url, refusal.error(), refusal.words(&authority)).await? {
            Ok(line) => evidence = line,
            Err(got) => return Ok(Outcome::succeeded(got)),
        }
    }
    // One that has leave for another server of the same machine does reach it: the way is there.
    let reached = fetch(scene, "courier", &format!("http://127.0.0.1:{}/", scene.redirecting.port)).await?;
    ensure!(reached.is_ok(), "nothing at all is reached: {reached:?}");
    is_told(&mut events, "tourist").await?;
    Ok(Outcome::refused(By::HttpClient, TOLD, evidence))
}

/// Waits until the lattice was told that the HTTP client refused an actor something.
async fn is_told(events: &mut Events, actor: &str) -> anyhow::Result<()> {
    let by_client =
        |data: &Value| data["source"] == actor && data["code"] == "denied" && data["target"] == "outside";
    events.wait("call_refused", by_client).await.map(drop)
}

/// Addresses of this machine and its network, written out.
pub(crate) fn by_address(scene: &mut Scene) -> Attempted<'_> {
    async move {
        // What another reader might take for the host stands where none belongs.
        let mut targets = vec![("public.example@127.0.0.1", scene.canary.port, Refusal::Malformed)];
        targets.extend(private(&["127.0.0.1", "127.8.8.8", "0.0.0.0"], scene.canary.port));
        targets.extend(private(&["127.0.0.1"], scene.ports.nats));
        targets
            .extend(private(&["169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1"], 80));
        refused(scene, &targets).await
    }
    .boxed_local()
}

/// Names that lead to this machine, and numbers that only a resolver takes for addresses.
pub(crate) fn by_name(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let hosts = ["localhost", "LOCALHOST", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0"];
        refused(scene, &private(&hosts, scene.canary.port)).await
    }
    .boxed_local()
}

/// The many ways to write an address of this machine in IPv6.
pub(crate) fn by_ipv6(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let hosts = [
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::1]",
            "[fe80::1]",
            "[fd00::1]",
            "[::]",
        ];
        refused(scene, &private(&hosts, scene.canary.port)).await
    }
    .boxed_local()
}

/// A server that may be asked answers with the address of one that may not.
pub(crate) fn by_redirect(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let mut events = Events::of(&scene.people.auditor).await?;
        let before = scene.canary.visits();
        let answered =
            fetch(scene, "courier", &format!("http://127.0.0.1:{}/", scene.redirecting.port)).await?;
        // The redirect comes back to the actor, and is followed by nobody.
        let target = answered.map_err(anyhow::Error::msg)?;
        let authority = format!("127.0.0.1:{}", scene.canary.port);
        ensure!(target == format!("http://{authority}/"), "the server answered {target:?}");
        ensure!(scene.canary.visits() == before, "somebody followed the redirect");
        let words = vec![format!("request to {authority} denied"), "allow list does not name".to_owned()];
        match denied(scene, "courier", &target, Refusal::Private.error(), words).await? {
            Ok(line) => {
                is_told(&mut events, "courier").await?;
                Ok(Outcome::refused(By::HttpClient, TOLD, line))
            }
            Err(got) => Ok(Outcome::succeeded(got)),
        }
    }
    .boxed_local()
}

/// A key-value store that no link gives.
pub(crate) fn without_link(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let (status, body) = tell(scene, "idler", "/").await?;
        if status == 200 {
            return Ok(Outcome::succeeded(body.to_string()));
        }
        let inventory = scene.client.get_host_inventory(&scene.host).await?;
        let idler =
            inventory.components.iter().find(|actor| actor.id.as_str() == "idler").context("not there")?;
        let state = idler.state().context("it has a state")?.to_string();
        ensure!(state.contains("no link for wasi:keyvalue"), "{state}");
        Ok(Outcome::refused(By::Host, "inventory, event actor_state, host log", state))
    }
    .boxed_local()
}

/// More memory and time than an actor is given, while another one is served as ever.
pub(crate) fn limits(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let image = scene.signer.example("misbehave")?.display().to_string();
        let mut command = ScaleComponentCommand::new("glutton".parse()?, image, 4);
        let limits = [("max_cpu_time_ms", "300"), ("max_memory_limit", "33554432")];
        let limits: BTreeMap<String, String> =
            limits.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        command.component_limits = Some(limits);
        scene.client.scale_component_and_wait(&scene.host, &command, WITHIN).await?;
        let mut evidence = String::new();
        for (path, words) in [
            ("/loop", "of processor time and was stopped"),
            // It asks for memory until it gets no more, and tells how much that was.
            ("/memory", "refused after "),
            ("/recurse", "call stack exhausted"),
        ] {
            let call = HttpCall { path: path.to_owned(), ..HttpCall::default() };
            let command = CallComponentCommand {
                component_id: "glutton".parse()?,
                function: None,
                args: Vec::new(),
                http: Some(call),
                timeout_ms: None,
            };
            let (called, hello) =
                tokio::join!(scene.client.call_component(&scene.host, &command), tell(scene, "hello", "/"));
            ensure!(hello?.0 == 200, "another actor is not served meanwhile");
            let reply = called?;
            let said = reply.http.and_then(|answer| answer.body).unwrap_or_default();
            evidence = match reply.error {
                Some(error) => format!("{path}: {}: {}", error.code, error.reason),
                None if said.starts_with(words) => format!("{path}: {}", said.trim()),
                None => return Ok(Outcome::succeeded(format!("{path} does all it wants: {said}"))),
            };
            ensure!(evidence.contains(words), "it ends for another reason: {evidence}");
        }
        stop(scene, "glutton").await?;
        Ok(Outcome::refused(By::Runtime, "the answer, host log", evidence))
    }
    .boxed_local()
}
