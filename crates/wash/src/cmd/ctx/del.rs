//! `wash ctx del`.

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
struct Deleted {
    name: String,
}

pub(super) fn run(args: Args, out: &Output) -> Outcome {
    Contexts::required()?.remove(&args.name)?;
    out.reply(&Deleted { name: args.name })
}

impl Reply for Deleted {
    fn text(&self) -> String {
        format!("removed context {}", self.name)
    }
}
