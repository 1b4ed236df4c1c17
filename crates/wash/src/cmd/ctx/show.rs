//! `wash ctx show`.

use serde::Serialize;

use crate::{
    context::{Context, Contexts},
    exit::Exit,
    failure::{Failure, Outcome},
    output::{Output, Reply, pairs},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which one [default: the current one]
    name: Option<String>,
}

#[derive(Debug, Serialize)]
struct Shown {
    current: bool,
    #[serde(flatten)]
    context: Context,
}

pub(super) fn run(args: Args, out: &Output) -> Outcome {
    let contexts = Contexts::required()?;
    let current = contexts.current()?;
    let context = match args.name {
        Some(name) => contexts.require(&name)?,
        None => current.clone().ok_or_else(|| {
            Failure::say(Exit::Refused, "no context is the current one")
                .help("choose one with `wash ctx use NAME`")
        })?,
    };
    let current = current.is_some_and(|current| current.name == context.name);
    out.reply(&Shown { current, context })
}

impl Reply for Shown {
    fn text(&self) -> String {
        let Context { name, lattice, ctl_credsfile, ctl_signing_key, ctl_tls_ca_file, js_domain, .. } =
            &self.context;
        let name = if self.current { format!("{name} (current)") } else { name.clone() };
        let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let rows = [
            ("Name", Some(name)),
            ("Lattice", Some(lattice.clone().unwrap_or_default().to_string())),
            ("Server", Some(self.context.url())),
            ("Credentials", path(ctl_credsfile)),
            ("Signs with", path(ctl_signing_key)),
            ("Trusts", path(ctl_tls_ca_file)),
            ("Domain", js_domain.clone()),
        ];
        pairs(rows.into_iter().filter_map(|(name, value)| Some((name, value?))))
    }
}
