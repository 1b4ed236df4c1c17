//! `wash ctx new`.

use std::path::{Path, PathBuf};

use lattice_core::LatticeName;
use serde::Serialize;

use crate::{
    context::{Context, Contexts},
    exit::Exit,
    failure::{Failure, Outcome},
    output::{Output, Reply},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its name
    name: String,
    /// Servers, as nats://HOST:PORT joined by commas
    #[arg(long, value_name = "URL", default_value = "nats://127.0.0.1:4222")]
    nats_url: String,
    /// Credentials file (.creds)
    #[arg(long, visible_alias = "ctl-credsfile", value_name = "FILE")]
    credsfile: Option<PathBuf>,
    /// File of the user key that signs what you command
    #[arg(long, value_name = "FILE")]
    signing_key: Option<PathBuf>,
    /// Certificates (PEM) to trust besides those of the system
    #[arg(long, visible_alias = "ctl-tls-ca-file", value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Lattice that is meant
    #[arg(short = 'x', long, default_value = "default")]
    lattice: LatticeName,
    /// JetStream domain that keeps the lattice's state
    #[arg(long, value_name = "DOMAIN")]
    js_domain: Option<String>,
    /// Replace one of this name
    #[arg(long)]
    replace: bool,
    /// Keep it without making it the current one
    #[arg(long)]
    keep_current: bool,
}

#[derive(Debug, Serialize)]
struct Made {
    current: bool,
    #[serde(flatten)]
    context: Context,
}

pub(super) fn run(args: Args, out: &Output) -> Outcome {
    let contexts = Contexts::required()?;
    if contexts.get(&args.name)?.is_some() && !args.replace {
        return Err(Failure::say(Exit::Refused, format!("there is a context {} already", args.name))
            .help("choose another name, or give --replace"));
    }
    let context = Context {
        name: args.name,
        lattice: Some(args.lattice),
        nats_url: Some(args.nats_url),
        ctl_credsfile: args.credsfile.as_deref().map(present).transpose()?,
        ctl_signing_key: args.signing_key.as_deref().map(present).transpose()?,
        ctl_tls_ca_file: args.tls_ca.as_deref().map(present).transpose()?,
        js_domain: args.js_domain,
        ..Context::default()
    };
    contexts.save(&context)?;
    if !args.keep_current {
        contexts.choose(&context.name)?;
    }
    out.reply(&Made { current: !args.keep_current, context })
}

/// The whole path of a file that is there: the context is used from any folder.
fn present(file: &Path) -> Outcome<PathBuf> {
    let whole = file.canonicalize();
    whole.map_err(|error| Failure::refused(error).context(format!("cannot find {}", file.display())))
}

impl Reply for Made {
    fn text(&self) -> String {
        let current = if self.current { ", the current one" } else { "" };
        format!("context {}{current}: {}", self.context.name, self.context.url())
    }
}
