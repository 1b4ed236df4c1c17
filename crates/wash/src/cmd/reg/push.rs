//! `wash reg push REFERENCE FILE`.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use lattice_registry::{Kind, PushOptions};
use serde::Serialize;

use crate::{
    failure::{Failure, Outcome},
    images::{self, CacheArgs, RegistryArgs},
    output::{Output, Reply},
    signed,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to: host[:port]/repository:tag, or a digest (@sha256:…) in place of the tag or after it, if the image has that digest
    #[arg(value_name = "REFERENCE")]
    image: String,
    /// The .wasm or .par.gz file
    file: PathBuf,
    /// An annotation of the image, NAME=VALUE; may be repeated
    #[arg(short, long = "annotation", value_name = "NAME=VALUE", value_parser = annotation)]
    annotations: Vec<(String, String)>,
    /// The author in the image's config; actors only
    #[arg(long)]
    author: Option<String>,
    /// When it was made, in seconds since 1970: the same file, time, annotations and author have the same digest; actors only
    /// [default: now]
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=253_402_300_799))]
    created: Option<u64>,
    /// File with the config of a provider, in place of an empty one
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    cache: CacheArgs,
}

#[derive(Serialize)]
struct Done {
    #[serde(rename = "ref")]
    image: String,
    digest: String,
    kind: String,
    bytes: u64,
    resolved: String,
    signed: bool,
    #[serde(skip)]
    file: PathBuf,
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    let image = images::parse(&args.image)?;
    let artifact = images::read_file(&args.file).await?;
    let provider_config =
        match &args.config {
            Some(path) => Some(std::fs::read(path).map_err(|error| {
                Failure::refused(error).context(format!("cannot read {}", path.display()))
            })?),
            None => None,
        };
    let signed = signed::is_signed(&artifact.bytes, artifact.kind);
    let options = PushOptions {
        annotations: args.annotations.into_iter().collect::<BTreeMap<_, _>>(),
        author: args.author,
        provider_config: provider_config.map(Into::into),
        created: args.created.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
    };
    let bytes = artifact.bytes.len() as u64;
    let fetcher = args.registry.fetcher(&image, &args.cache)?;
    let progress = out.progress(format!("Pushing {image}"));
    let pushed = fetcher.push(&image, artifact.bytes, options).await.map_err(images::failure)?;
    drop(progress);
    out.reply(&Done {
        image: image.to_string(),
        digest: pushed.digest,
        kind: pushed.kind.to_string(),
        bytes,
        resolved: pushed.resolved.to_string(),
        signed,
        file: args.file,
    })
}

fn annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

impl Reply for Done {
    fn text(&self) -> String {
        let mut text =
            format!("Pushed {} {} ({} bytes)\n  digest  {}", self.kind, self.image, self.bytes, self.digest);
        if !self.signed {
            text += "\nIt is not signed, so hosts refuse it, unless they run with --allow-unsigned.";
        }
        if !self.signed && self.kind == Kind::Actor.to_string() {
            text += &format!(
                "\nNext: wash claims sign {} --name NAME, and push what that writes",
                self.file.display()
            );
        } else {
            text += &format!("\nNext: wash start {} {}", self.kind, self.image);
        }
        text
    }
}
