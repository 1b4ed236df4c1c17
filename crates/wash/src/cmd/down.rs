//! `wash down`: stops what `wash up` started on this machine.

use std::{path::PathBuf, time::Duration};

use lattice_core::LatticeName;
use serde::Serialize;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    local::{Living, Place, Role, Stopped},
    output::{Output, Reply},
};

/// A NATS server has no calls to finish.
const NATS_PATIENCE: Duration = Duration::from_secs(8);

/// What to stop.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Lattice whose hosts are stopped
    #[arg(
        short = 'x',
        long,
        visible_alias = "lattice-prefix",
        env = "WASMCLOUD_LATTICE",
        default_value = "default"
    )]
    lattice: LatticeName,
    /// Stop the hosts of every lattice
    #[arg(long, conflicts_with = "host_id")]
    all: bool,
    /// Stop only this host, given by its id or the first characters of it
    #[arg(long, value_name = "HOST")]
    host_id: Option<String>,
    /// Folder that `wash up` keeps its data in [default: $XDG_DATA_HOME/wasmcloud or ~/.local/share/wasmcloud]
    #[arg(long, env = "WASMCLOUD_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Longest wait until a host has stopped in order, in milliseconds; then it is killed. A host gives calls in flight 10 s, or its
    /// --drain-timeout
    #[arg(long, value_name = "MS", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    wait_timeout_ms: u64,
}

#[derive(Debug, Serialize)]
struct Down {
    hosts: Vec<String>,
    nats: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    killed: Vec<String>,
    /// Lattices that hosts of this machine still run in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_lattices: Vec<String>,
    /// The folder that was named, for the commands that are advised.
    #[serde(skip)]
    folder: Option<PathBuf>,
}

impl Reply for Down {
    fn text(&self) -> String {
        let mut lines: Vec<String> = self.hosts.iter().map(|id| format!("stopped host {id}")).collect();
        lines.extend(
            self.nats.iter().map(|url| format!("stopped NATS {}", url.trim_start_matches("nats://"))),
        );
        lines.extend(self.killed.iter().map(|what| format!("{what} did not stop in time and was killed")));
        if lines.is_empty() {
            lines.push(match self.other_lattices.is_empty() {
                true => "nothing that `wash up` started is running".to_owned(),
                false => "no host of this lattice that `wash up` started is running".to_owned(),
            });
        }
        if let Some(first) = self.other_lattices.first() {
            let folder = self.folder.as_ref();
            let folder = folder.map(|folder| format!(" --data-dir {}", folder.display())).unwrap_or_default();
            lines.push(format!(
                "still up: lattice {}; stop it with `wash down -x {first}{folder}`, or all with `wash down --all{folder}`",
                self.other_lattices.join(", ")
            ));
        }
        lines.join("\n")
    }
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    let folder = Place::resolve(args.data_dir.as_deref())?.up();
    let patience = Duration::from_millis(args.wait_timeout_ms);
    let mut down = Down {
        hosts: Vec::new(),
        nats: Vec::new(),
        killed: Vec::new(),
        other_lattices: Vec::new(),
        folder: args.data_dir.clone(),
    };
    let running = living(&folder)?;
    let progress = (!running.is_empty()).then(|| out.progress("stopping"));
    let say = |what: String| progress.iter().for_each(|progress| progress.set(what.clone()));
    let mut met = false;
    for host in running.into_iter().filter(|one| one.record.role == Role::Host && args.mean(one)) {
        met = true;
        let name = host.record.host_id.clone().unwrap_or_else(|| host.record.pid.to_string());
        say(format!("stopping host {name}"));
        stop(&host, patience, &format!("host {name}"), &mut down.killed).await?;
        down.hosts.push(name);
    }
    if let (Some(id), false) = (&args.host_id, met) {
        let text = format!("`wash up` started no host {id} here that still runs");
        return Err(Failure::say(Exit::Refused, text)
            .help("`wash get hosts` lists hosts; `wash stop host ID` stops any"));
    }
    // A server goes when no host that we know of uses it.
    let rest = living(&folder)?;
    let used: Vec<&str> = rest
        .iter()
        .filter(|one| one.record.role == Role::Host)
        .map(|one| one.record.nats_url.as_str())
        .collect();
    let idle = |one: &&Living| one.record.role == Role::Nats && !used.contains(&one.record.nats_url.as_str());
    for nats in rest.iter().filter(idle) {
        let url = nats.record.nats_url.clone();
        say(format!("stopping NATS {url}"));
        stop(nats, patience.min(NATS_PATIENCE), &format!("NATS {url}"), &mut down.killed).await?;
        down.nats.push(url);
    }
    drop(progress);
    if args.host_id.is_none() {
        let hosts = rest.iter().filter(|one| one.record.role == Role::Host);
        down.other_lattices = hosts.filter_map(|one| one.record.lattice.clone()).collect();
        down.other_lattices.sort();
        down.other_lattices.dedup();
    }
    out.reply(&down)
}

impl Args {
    fn mean(&self, host: &Living) -> bool {
        let of_lattice = self.all || host.record.lattice.as_deref() == Some(self.lattice.as_str());
        let by_id =
            |wanted: &String| host.record.host_id.as_ref().is_some_and(|id| id.starts_with(wanted.as_str()));
        of_lattice && self.host_id.as_ref().is_none_or(by_id)
    }
}

fn living(folder: &std::path::Path) -> Outcome<Vec<Living>> {
    Living::all(folder).map_err(|error| {
        Failure::refused(error).context(format!("cannot read what runs, in {}", folder.display()))
    })
}

async fn stop(one: &Living, patience: Duration, what: &str, killed: &mut Vec<String>) -> Outcome {
    match one.stop(patience).await {
        Ok(Stopped::InOrder) => Ok(()),
        Ok(Stopped::Killed) => {
            killed.push(what.to_owned());
            Ok(())
        }
        Ok(Stopped::StillThere) => {
            let text = format!("{what} (process {}) does not end, not even when killed", one.record.pid);
            Err(Failure::say(Exit::Refused, text)
                .help("look at the process with `ps`; the system may be waiting for a disk"))
        }
        Err(error) => Err(Failure::refused(error).context(format!("cannot stop {what}"))),
    }
}
