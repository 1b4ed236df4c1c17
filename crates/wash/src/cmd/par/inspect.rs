//! `wash par inspect FILE|REFERENCE`.

use lattice_registry::Kind;

use crate::{
    clock,
    cmd::claims::Shown,
    exit::Exit,
    failure::{Failure, Outcome},
    images::{CacheArgs, RegistryArgs},
    keystore::KeysDir,
    output::Output,
    signed,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An archive, or an image of a registry
    archive: String,
    #[command(flatten)]
    keys: KeysDir,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    cache: CacheArgs,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let store = args.keys.open()?;
    let artifact = args.registry.fetch(&args.archive, &args.cache, out).await?;
    if artifact.kind != Kind::Provider {
        let text = format!("{} is an actor, and no provider archive", args.archive);
        return Err(Failure::say(Exit::Refused, text).help("show it with: wash claims inspect FILE"));
    }
    let now = clock::now();
    let signed = signed::examine(&artifact.bytes, artifact.kind, &store, now)?.ok_or_else(|| {
        Failure::say(Exit::Refused, format!("{} is not signed", args.archive))
            .help("make it again: wash par create --binary FILE --name NAME --vendor VENDOR")
    })?;
    out.reply(&Shown::of(signed, now))
}
