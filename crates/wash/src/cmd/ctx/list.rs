//! `wash ctx list`.

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    context::{Context, Contexts},
    failure::Outcome,
    output::{Align, Output, Reply, table},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

#[derive(Debug, Serialize)]
struct Listed {
    directory: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<String>,
    contexts: Vec<Context>,
}

pub(super) fn run(_: Args, out: &Output) -> Outcome {
    let contexts = Contexts::required()?;
    let current = contexts.current()?.map(|context| context.name);
    out.reply(&Listed { directory: contexts.dir().to_owned(), current, contexts: contexts.list()? })
}

impl Reply for Listed {
    fn text(&self) -> String {
        if self.contexts.is_empty() {
            return format!(
                "no contexts in {}; `wash up` and `wash ctx new` make them",
                self.directory.display()
            );
        }
        let columns = ["", "name", "lattice", "server", "credentials"].map(|name| (name, Align::Left));
        let row = |context: &Context| {
            let mark = if self.current.as_ref() == Some(&context.name) { "*" } else { "" };
            let lattice = context.lattice.clone().unwrap_or_default();
            let creds =
                context.ctl_credsfile.as_ref().map_or("-".to_owned(), |file| file.display().to_string());
            [mark.to_owned(), context.name.clone(), lattice.to_string(), context.url(), creds]
        };
        table(&columns, self.contexts.iter().map(row))
    }
}
