//! `wash ctx use`.

use serde::Serialize;

use crate::{
    context::Contexts,
    failure::Outcome,
    output::{Output, Reply},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which one
    name: String,
}

#[derive(Debug, Serialize)]
struct Used {
    name: String,
    #[serde(skip)]
    text: String,
}

pub(super) fn run(args: Args, out: &Output) -> Outcome {
    let context = Contexts::required()?.choose(&args.name)?;
    let lattice = context.lattice.clone().unwrap_or_default();
    let text = format!("context {} is the current one: lattice {lattice} at {}", args.name, context.url());
    out.reply(&Used { name: args.name, text })
}

impl Reply for Used {
    fn text(&self) -> String {
        self.text.clone()
    }
}
