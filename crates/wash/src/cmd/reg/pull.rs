//! `wash reg pull REFERENCE`.

use std::path::{Path, PathBuf};

use lattice_core::ImageRef;
use lattice_registry::Kind;
use serde::Serialize;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    files,
    images::{self, CacheArgs, RegistryArgs},
    output::{Output, Reply},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What: host[:port]/repository:tag, or with @sha256:…
    #[arg(value_name = "REFERENCE")]
    image: String,
    /// The file to write [default: the last part of the name, with .wasm or .par.gz]
    #[arg(long, value_name = "FILE")]
    destination: Option<PathBuf>,
    /// Replace a file that is there already; one that is named with --destination always is
    #[arg(long)]
    force: bool,
    /// The digest that the image must have
    #[arg(short, long, value_name = "sha256:…")]
    digest: Option<String>,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    cache: CacheArgs,
}

#[derive(Serialize)]
struct Done {
    file: PathBuf,
    #[serde(rename = "ref")]
    image: String,
    digest: String,
    layer_digest: String,
    kind: String,
    bytes: u64,
    from_cache: bool,
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    let image = images::parse(&args.image)?;
    let ImageRef::Oci(oci) = &image else {
        return Err(Failure::say(
            Exit::Usage,
            format!("{image} is in no registry, so there is nothing to pull"),
        )
        .help("Write host[:port]/repository:tag."));
    };
    let text = match &args.digest {
        Some(digest) if oci.digest.is_none() => format!("{image}@{digest}"),
        Some(digest) if oci.digest.as_deref() != Some(digest) => {
            return Err(Failure::say(
                Exit::Usage,
                format!("{image} and --digest {digest} contradict each other"),
            ));
        }
        _ => image.to_string(),
    };
    let artifact = args.registry.fetch(&text, &args.cache, out).await?;
    let file = match args.destination {
        Some(named) => named,
        None => {
            let name = oci.repository.rsplit('/').next().unwrap_or(&oci.repository);
            let file = default_file(name, artifact.kind, &artifact.bytes);
            // The name was not typed, so nobody said that this file may go.
            if !args.force && file.symlink_metadata().is_ok() {
                let text = format!("there is a file {} here already, and it is kept", file.display());
                let help = "name another file with --destination FILE, or replace this one with --force";
                return Err(Failure::say(Exit::Refused, text).help(help));
            }
            file
        }
    };
    files::write(&file, &artifact.bytes)?;
    out.reply(&Done {
        file,
        image: image.to_string(),
        digest: artifact.manifest_digest.clone().unwrap_or_default(),
        layer_digest: artifact.digest.clone(),
        kind: artifact.kind.to_string(),
        bytes: artifact.bytes.len() as u64,
        from_cache: artifact.from_cache(),
    })
}

fn default_file(name: &str, kind: Kind, bytes: &[u8]) -> PathBuf {
    let ending = match kind {
        Kind::Provider if bytes.starts_with(&[0x1f, 0x8b]) => ".par.gz",
        Kind::Provider => ".par",
        _ => ".wasm",
    };
    let name = name.strip_suffix(ending).unwrap_or(name);
    Path::new(&format!("{name}{ending}")).to_owned()
}

impl Reply for Done {
    fn text(&self) -> String {
        let cache = if self.from_cache { ", from the cache" } else { "" };
        format!(
            "Pulled {} {} into {} ({} bytes{cache})\n  digest  {}",
            self.kind,
            self.image,
            self.file.display(),
            self.bytes,
            self.digest
        )
    }
}
