//! `wash keys get NAME`.

use serde::Serialize;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    keystore::KeysDir,
    output::{Output, Reply},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key's name, as wash keys list shows it
    name: String,
    #[command(flatten)]
    keys: KeysDir,
}

#[derive(Serialize)]
struct Got {
    public_key: String,
    seed: String,
}

pub(super) fn run(args: Args, out: &Output) -> Outcome {
    let store = args.keys.open()?;
    let Some(key) = store.load(&args.name, out)? else {
        let what = format!("there is no key {} in {}", args.name, store.dir().display());
        return Err(Failure::say(Exit::Refused, what).help("See the keys there are: wash keys list"));
    };
    let (public_key, seed) = (key.public_key().to_string(), key.seed().expose().to_owned());
    out.reply(&Got { public_key, seed })
}

impl Reply for Got {
    /// The seed alone, so that it can be piped.
    fn text(&self) -> String {
        self.seed.clone()
    }
}
