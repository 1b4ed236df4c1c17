//! Text that does more than say something: control characters in logs and tables, YAML that grows, commands of 2021.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_control_interface::HostLabel;
use lattice_nats::HeaderMap;
use lattice_testkit::workspace_root;

use super::{
    archives::marking,
    broker::{Answer, NATS_LOG, ask},
    sandbox::tell,
};
use crate::{
    attempt::{By, Outcome},
    scene::{Scene, Seat},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// What a line of the log would be if it were believed.
const FORGED: &str = "2026-01-01T00:00:00Z  WARN wasmcloud: all is well";

/// An actor writes a line that ends, and one that looks like the host's own; colours, a bell, and what clears the screen.
pub(crate) fn actor_log(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let forged = FORGED.replace(' ', "%20");
        let path = format!("/log?level=error&message=said-by-an-actor%0D%0A{forged}%1B%5B2J%07%C2%9B31m");
        let (status, said) = tell(scene, "tourist", &path).await?;
        ensure!(status == 200, "{said}");
        let line = scene.host_log(&["said-by-an-actor"]).await?;
        let log = scene.log();
        let has = |wanted: char| line.contains(wanted);
        if log.lines().any(|line| line.starts_with(FORGED))
            || has('\u{7}')
            || has('\u{9b}')
            || line.contains("\u{1b}[2J")
        {
            return Ok(Outcome::succeeded(format!("it stands in the log: {line:?}")));
        }
        Ok(Outcome::refused(By::Runtime, "host log, escaped", line))
    }
    .boxed_local()
}

/// What an operator reads on the terminal: a label, a configuration and an image that say more than text.
pub(crate) fn terminal(scene: &mut Scene) -> Attempted<'_> {
    async move {
        const EVIL: &str = "x\u{1b}[2J\u{1b}]0;owned\u{7}\r\nforged line";
        let label = HostLabel { key: "evil".to_owned(), value: EVIL.to_owned() };
        // Whoever has leave to set labels and configurations has none to write on the terminals of others.
        let put = scene.client.put_label(&scene.host, &label).await;
        let name = "evil".parse()?;
        let config = scene.client.put_config(&name, &[("evil".to_owned(), EVIL.to_owned())].into()).await;
        let started = super::images::start(scene, "evil", &format!("127.0.0.1:1/{EVIL}:1")).await;
        let mut shown = format!("{started:?}");
        let mut raw = None;
        for args in
            [&["get", "hosts"][..], &["get", "inventory"], &["config", "get", "evil"], &["get", "links"]]
        {
            let (_, said) = scene.wash(args).await?;
            let is_raw = ["\u{1b}[2J", "\u{1b}]0", "\u{7}"].iter().any(|part| said.contains(part));
            if is_raw || said.lines().any(|line| line.starts_with("forged line")) {
                raw = Some(format!("wash {} prints it as it is", args.join(" ")));
            }
            shown.extend(said.lines().find(|line| line.contains("owned")));
        }
        let log = scene.log();
        if log.contains("\u{1b}]0;owned") || log.lines().any(|line| line.starts_with("forged line")) {
            raw = Some("it stands in the host's log as it is".to_owned());
        }
        if put.is_ok() {
            scene.client.delete_label(&scene.host, "evil").await?;
        }
        if config.is_ok() {
            scene.client.delete_config(&name).await?;
        }
        match raw {
            Some(what) => Ok(Outcome::succeeded(what)),
            None => Ok(Outcome::refused(By::Wash, "output of wash, escaped", shown)),
        }
    }
    .boxed_local()
}

/// What is said of a manifest that is too much.
const LIMITS: [&str; 3] = ["too much to read", "alias replay limit exceeded", "recursion limit exceeded"];

/// Applies a manifest of the example's folder that has to be refused, and quickly.
async fn applied(scene: &Scene, file: &str) -> anyhow::Result<Outcome> {
    let file = workspace_root().join("examples/lattices/attack").join(file).display().to_string();
    let started = Instant::now();
    let (code, said) = scene.wash(&["apply", "-m", &file]).await?;
    if code == 0 {
        return Ok(Outcome::succeeded("it is read"));
    }
    let is_limit = |line: &&str| LIMITS.iter().any(|words| line.contains(words));
    let line = said.lines().find(is_limit).with_context(|| format!("refused for another reason: {said}"))?;
    ensure!(started.elapsed() < Duration::from_secs(15), "it took {:?}", started.elapsed());
    Ok(Outcome::refused(By::Wash, "output of wash", line.trim()))
}

/// A billion laughs: a list of lists of lists, each by reference.
pub(crate) fn laughs(scene: &mut Scene) -> Attempted<'_> {
    async move { applied(scene, "laughs.yaml").await }.boxed_local()
}

/// Nesting deeper than any stack.
pub(crate) fn deep(scene: &mut Scene) -> Attempted<'_> {
    async move { applied(scene, "deep.yaml").await }.boxed_local()
}

/// What 2021 used to start a provider: the old control subjects, with a program of one's own.
pub(crate) fn control_of_2021<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let mark = scene.mark("the-provider-of-2021-ran");
        // Well signed: whoever took such a command would run it.
        let image = scene.signer.provider("provider-of-2021.par", &marking(&mark))?;
        let body =
            serde_json::json!({ "host_id": scene.host, "provider_ref": image, "link_name": "default" });
        let host = scene.host.as_str();
        let subjects = [
            format!("wasmbus.ctl.default.cmd.{host}.lp"),
            format!("wasmbus.ctl.default.cmd.{host}.la"),
            "wasmbus.ctl.default.auction.provider".to_owned(),
            "wasmbus.ctl.default.linkdefs.put".to_owned(),
            "wasmbus.rpc.default.VLOOT.default.linkdefs.put".to_owned(),
        ];
        let (who, mut denied, mut nobody) = (S::connection(scene), 0, 0);
        for subject in &subjects {
            match ask(&who, subject, HeaderMap::new(), &body.to_string()).await? {
                Answer::Denied => denied += 1,
                Answer::Nobody => nobody += 1,
                Answer::Said(answer) => bail!("{subject}: {answer}"),
            }
        }
        ensure!(!mark.exists(), "it ran");
        let last = subjects.last().context("there are subjects")?;
        match (denied == subjects.len(), nobody == subjects.len()) {
            (true, _) => {
                Ok(Outcome::refused(By::Broker, NATS_LOG, scene.nats_log(&["Violation", last]).await?))
            }
            (_, true) => Ok(Outcome::refused(By::Nobody, "nowhere: it does nothing", "nobody listens there")),
            _ => bail!("{denied} refused, {nobody} heard by nobody"),
        }
    }
    .boxed_local()
}
