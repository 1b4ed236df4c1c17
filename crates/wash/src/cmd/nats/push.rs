//! `wash nats push`.

use std::{path::PathBuf, time::Duration};

use serde::Serialize;

use crate::{
    failure::Outcome,
    output::{Output, Reply},
    own_nats::{OwnNats, push},
};

/// Tell a running server which users are revoked, and what provider keys may sign.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of `wash nats init`
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The server, as that of a site [default: the first one]
    #[arg(long, value_name = "URL")]
    nats_url: Option<String>,
    /// Certificates (PEM) to trust besides those of the system
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Longest wait for an answer, in milliseconds
    #[arg(short, long, value_name = "MS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    timeout_ms: u64,
}

#[derive(Debug, Serialize)]
struct Told {
    url: String,
    server: String,
    revoked: usize,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let own = OwnNats::require(&args.dir)?;
    own.renew_templates()?;
    own.rewrite_servers()?;
    let url = args.nats_url.clone().unwrap_or_else(|| own.plan.url());
    let ca = args.tls_ca.map_or_else(|| own.ca_at(&url), |given| Ok(Some(given)))?;
    let within = Duration::from_millis(args.timeout_ms);
    let pushed = push(&own, &url, ca, within).await?;
    let revoked = own.account_token()?.revoked.len();
    out.reply(&Told { url: pushed.url, server: pushed.server, revoked })
}

impl Reply for Told {
    fn text(&self) -> String {
        format!("server {} at {} refuses {} revoked users", self.server, self.url, self.revoked)
    }
}
