//! What `wash up` says when all is ready.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Args, nats::Nats};
use crate::{
    cmd::apply::Applied,
    local::{HostProcess, HostProgram},
    output::Reply,
};

/// The first three fields are v1's.
#[derive(Debug, Serialize)]
pub(super) struct Up {
    #[serde(skip_serializing_if = "Option::is_none")]
    wasmcloud_log: Option<PathBuf>,
    pub(super) kill_cmd: String,
    nats_url: String,
    nats_started: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    nats_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nats_log: Option<PathBuf>,
    host_id: String,
    lattice: String,
    wasmcloud_version: String,
    wasmcloud_pid: u32,
    trusted: Vec<String>,
    /// The context that was saved, and is the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<String>,
    /// Whether the server asks nobody for credentials.
    open: bool,
    /// With `-d` and a manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) states: Option<Applied>,
    /// The server's port, where other commands would not look for it by themselves.
    #[serde(skip)]
    other_port: Option<u16>,
    #[serde(skip)]
    detached: bool,
}

impl Up {
    pub(super) fn new(
        args: &Args,
        program: &HostProgram,
        nats: &Nats,
        host: &HostProcess,
        trusted: Vec<String>,
    ) -> Up {
        let mut kill_cmd = "wash down".to_owned();
        if args.lattice().as_str() != "default" {
            kill_cmd += &format!(" -x {}", args.lattice());
        }
        if let Some(folder) = &args.host.data_dir {
            kill_cmd += &format!(" --data-dir {}", folder.display());
        }
        Up {
            wasmcloud_log: host.child.log().map(Path::to_owned),
            kill_cmd,
            nats_url: without_user(nats.url()),
            nats_started: nats.ours().is_some(),
            nats_version: nats.version().map(str::to_owned),
            nats_log: nats.ours().and_then(|server| server.child.log()).map(Path::to_owned),
            host_id: host.host_id.clone(),
            lattice: args.lattice().to_string(),
            wasmcloud_version: program.version.clone(),
            wasmcloud_pid: host.child.pid(),
            trusted,
            context: None,
            open: args.nats.open,
            states: None,
            other_port: args
                .nats
                .nats_url
                .is_none()
                .then_some(args.nats.nats_port)
                .filter(|port| *port != 4222),
            detached: args.detached,
        }
    }
}

/// The URL without a password in it.
fn without_user(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, address))) => format!("{scheme}://{address}"),
        _ => url.to_owned(),
    }
}

impl Reply for Up {
    fn text(&self) -> String {
        let nats = self.nats_url.trim_start_matches("nats://");
        let open = if self.open { " (open to anybody)" } else { "" };
        let line = format!("lattice {} up: host {}, NATS {nats}{open}", self.lattice, self.host_id);
        let port = self.other_port.filter(|_| self.context.is_none()).map(|port| {
            format!(
                "\nother commands find it with --ctl-port {port}, or after: export WASMCLOUD_CTL_PORT={port}"
            )
        });
        let port = port.unwrap_or_default();
        if !self.detached {
            return format!("{line}; press Ctrl-C to stop{port}");
        }
        let log =
            self.wasmcloud_log.as_ref().map(|log| format!("\nlog: {}", log.display())).unwrap_or_default();
        let states =
            self.states.as_ref().map(|states| format!("\n\n{}\n", states.table())).unwrap_or_default();
        format!("{line}{log}{port}\nstop with: {}{states}", self.kill_cmd)
    }
}
