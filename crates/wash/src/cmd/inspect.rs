//! `wash inspect FILE|REFERENCE`: everything that can be known about an artifact without running it.

use lattice_registry::{Kind, Source};
use serde::Serialize;

use crate::{
    clock,
    cmd::claims::Shown,
    exit::Exit,
    failure::{Failure, Outcome},
    images::{CacheArgs, RegistryArgs},
    keystore::KeysDir,
    output::{Output, Reply, pairs},
    signed,
    wit::{self, Surface},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file, or an image of a registry
    #[arg(value_name = "REFERENCE")]
    image: String,
    /// Print the WIT of the component alone
    #[arg(long)]
    wit: bool,
    #[command(flatten)]
    keys: KeysDir,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    cache: CacheArgs,
}

#[derive(Serialize)]
struct Inspected {
    #[serde(rename = "ref")]
    image: String,
    kind: String,
    bytes: u64,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_digest: Option<String>,
    from_cache: bool,
    signed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Shown>,
    #[serde(flatten)]
    surface: Option<Surface>,
    /// Why imports and exports are not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize)]
struct Wit {
    wit: String,
}

impl Reply for Wit {
    fn text(&self) -> String {
        self.wit.trim_end().to_owned()
    }
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    let artifact = args.registry.fetch(&args.image, &args.cache, out).await?;
    let (surface, problem) = match artifact.kind {
        Kind::Actor => match wit::surface(&artifact.bytes) {
            Ok(surface) => (Some(surface), None),
            Err(problem) => (None, Some(problem)),
        },
        _ => (None, None),
    };
    if args.wit {
        return print_wit(&args.image, surface, problem, out);
    }
    let now = clock::now();
    let signed = signed::examine(&artifact.bytes, artifact.kind, &args.keys.open()?, now)?;
    out.reply(&Inspected {
        image: artifact.resolved.to_string(),
        kind: artifact.kind.to_string(),
        bytes: artifact.bytes.len() as u64,
        digest: artifact.digest.clone(),
        manifest_digest: artifact.manifest_digest.clone(),
        from_cache: !matches!(artifact.source, Source::Registry | Source::File(_)),
        signed: signed.is_some(),
        claims: signed.map(|signed| Shown::of(signed, now)),
        surface,
        problem,
    })
}

fn print_wit(image: &str, surface: Option<Surface>, problem: Option<String>, out: &Output) -> Outcome {
    let why = match (surface, problem) {
        (Some(Surface { wit: Some(wit), .. }), _) => return out.reply(&Wit { wit }),
        (_, Some(problem)) => problem,
        (Some(_), None) => "it is a core module, which has no WIT".to_owned(),
        (None, None) => "it is a provider archive".to_owned(),
    };
    Err(Failure::say(Exit::Refused, format!("{image} shows no WIT: {why}")))
}

impl Reply for Inspected {
    fn text(&self) -> String {
        let mut rows = vec![
            ("Reference", self.image.clone()),
            ("Kind", self.kind.clone()),
            ("Size", format!("{} bytes", self.bytes)),
            (if self.manifest_digest.is_some() { "Layer digest" } else { "Digest" }, self.digest.clone()),
        ];
        if let Some(surface) = &self.surface {
            rows[1].1 = format!("{} ({})", self.kind, surface.format);
        }
        if let Some(digest) = &self.manifest_digest {
            rows.push(("Manifest digest", digest.clone()));
        }
        let mut text = pairs(rows);
        text += "\n\n";
        text += &match &self.claims {
            Some(claims) => claims.text(),
            None => "Not signed: hosts refuse it. Sign it: wash claims sign FILE --name NAME".to_owned(),
        };
        if let Some(surface) = &self.surface {
            for (title, names) in [("Imports", &surface.imports), ("Exports", &surface.exports)] {
                text += &format!("\n\n{title}");
                if names.is_empty() {
                    text += "\n  (none)";
                }
                text.extend(names.iter().map(|name| format!("\n  {name}")));
            }
        }
        if let Some(problem) = &self.problem {
            text += &format!("\n\nImports and exports cannot be read: {problem}");
        }
        text
    }
}
