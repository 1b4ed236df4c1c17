//! `wash claims inspect FILE|REFERENCE`.

use std::path::Path;

use lattice_claims::AnyClaims;
use serde::Serialize;

use crate::{
    clock,
    exit::Exit,
    failure::{Failure, Outcome},
    files,
    images::{CacheArgs, RegistryArgs},
    keystore::KeysDir,
    output::{Output, Reply, centred, pairs},
    signed::{self, Signed, Verdict},
};

/// The longest text that can be a token.
const TOKEN_BYTES_MAX: u64 = lattice_claims::TOKEN_BYTES_MAX as u64;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A signed file, an image of a registry, or a file with a token
    file: String,
    /// Print the token alone
    #[arg(long)]
    jwt_only: bool,
    #[command(flatten)]
    keys: KeysDir,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    cache: CacheArgs,
}

#[derive(Serialize)]
struct Token {
    token: String,
}

impl Reply for Token {
    fn text(&self) -> String {
        self.token.clone()
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let store = args.keys.open()?;
    let now = clock::now();
    let signed = match token_in(Path::new(&args.file)) {
        Some(token) => signed::examine_token(&token, &store, now)?,
        None => {
            let artifact = args.registry.fetch(&args.file, &args.cache, out).await?;
            signed::examine(&artifact.bytes, artifact.kind, &store, now)?.ok_or_else(|| {
                Failure::say(Exit::Refused, format!("{} is not signed", args.file))
                    .help("Sign it: wash claims sign FILE --name NAME")
            })?
        }
    };
    if args.jwt_only {
        return out.reply(&Token { token: signed.token });
    }
    out.reply(&Shown::of(signed, now))
}

/// The token in a text file, if it is one. Every JSON object begins with these letters in base64.
fn token_in(path: &Path) -> Option<String> {
    let text = files::read_text(path, TOKEN_BYTES_MAX).ok()?;
    let token = text.trim();
    token.starts_with("eyJ").then(|| token.to_owned())
}

/// The claims as `wash` has always shown them, and what the signature is worth.
#[derive(Serialize)]
pub(crate) struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The issuer.
    pub(crate) account: String,
    #[serde(flatten)]
    subject: Subject,
    expires: String,
    can_be_used: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<i32>,
    pub(crate) signature: Verdict,
    #[serde(skip)]
    entity: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Subject {
    Module { module: String, call_alias: String, capabilities: Vec<String>, tags: Vec<String> },
    Service { service: String, vendor: String, targets: Vec<String> },
    Other { subject: String },
}

impl Shown {
    pub(crate) fn of(signed: Signed, now: u64) -> Shown {
        let Signed { claims, verdict, .. } = signed;
        let (mut version, mut revision) = (None, None);
        let (entity, subject) = match &claims {
            AnyClaims::Actor(claims) => {
                let about = claims.metadata.clone().unwrap_or_default();
                (version, revision) = (about.version, about.revision);
                let module = claims.subject.clone();
                let call_alias = about.call_alias.unwrap_or_else(|| "(Not set)".to_owned());
                let (capabilities, tags) = (about.caps.unwrap_or_default(), about.tags.unwrap_or_default());
                ("Module", Subject::Module { module, call_alias, capabilities, tags })
            }
            AnyClaims::Provider(claims) => {
                let about = claims.metadata.clone().unwrap_or_default();
                (version, revision) = (about.version, about.revision);
                let targets = about.target_hashes.into_keys().collect();
                let service = claims.subject.clone();
                ("Capability Provider", Subject::Service { service, vendor: about.vendor, targets })
            }
            AnyClaims::Account(claims) => ("Account", Subject::Other { subject: claims.subject.clone() }),
            AnyClaims::Operator(claims) => ("Operator", Subject::Other { subject: claims.subject.clone() }),
            AnyClaims::Cluster(claims) => ("Cluster", Subject::Other { subject: claims.subject.clone() }),
            other => ("Host", Subject::Other { subject: other.subject().to_owned() }),
        };
        let starts = claims.not_before().filter(|at| *at > now);
        Shown {
            name: claims.name().map(str::to_owned),
            account: claims.issuer().to_owned(),
            subject,
            expires: claims.expires().map_or_else(|| "never".to_owned(), |at| clock::from_now(at, now)),
            can_be_used: starts.map_or_else(|| "immediately".to_owned(), |at| clock::from_now(at, now)),
            version,
            revision,
            signature: verdict,
            entity,
        }
    }
}

impl Reply for Shown {
    fn text(&self) -> String {
        let mut rows = vec![("Account", self.account.clone())];
        match &self.subject {
            Subject::Module { module, .. } => rows.push(("Module", module.clone())),
            Subject::Service { service, vendor, .. } => {
                rows.extend([("Service", service.clone()), ("Vendor", vendor.clone())]);
            }
            Subject::Other { subject } => rows.push((self.entity, subject.clone())),
        }
        rows.extend([("Expires", self.expires.clone()), ("Can Be Used", self.can_be_used.clone())]);
        if !matches!(self.subject, Subject::Other { .. }) {
            let version = self.version.as_deref().unwrap_or("None");
            rows.push(("Version", format!("{version} ({})", self.revision.unwrap_or(0))));
        }
        let mut blocks: Vec<(&str, &[String])> = Vec::new();
        match &self.subject {
            Subject::Module { call_alias, capabilities, tags, .. } => {
                rows.push(("Call Alias", call_alias.clone()));
                blocks.extend([("Capabilities", capabilities.as_slice()), ("Tags", tags.as_slice())]);
            }
            Subject::Service { targets, .. } => blocks.push(("Supported Targets", targets)),
            Subject::Other { .. } => {}
        }
        rows.push(("Signature", self.signature.text()));
        let title = format!("{} - {}", self.name.as_deref().unwrap_or("(unnamed)"), self.entity);
        let table = pairs(rows);
        let width = table.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        let mut lines = vec![centred(&title, width), table];
        for (name, items) in blocks.into_iter().filter(|(_, items)| !items.is_empty()) {
            lines.push(centred(name, width));
            lines.extend(items.iter().map(|item| friendly(item)));
        }
        lines.join("\n")
    }
}

/// The names of 2021 for people.
fn friendly(capability: &str) -> String {
    match capability {
        "wasmcloud:keyvalue" => "K/V Store",
        "wasmcloud:messaging" => "Messaging",
        "wasmcloud:httpserver" => "HTTP Server",
        "wasmcloud:httpclient" => "HTTP Client",
        "wasmcloud:blobstore" => "Blob Store",
        "wasmcloud:eventstreams" => "Event Streams",
        "wasmcloud:extras" => "Extras",
        "wasmcloud:logging" => "Logging",
        other => other,
    }
    .to_owned()
}
