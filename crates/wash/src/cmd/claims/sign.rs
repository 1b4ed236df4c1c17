//! `wash claims sign FILE --name NAME`.

use std::path::{Path, PathBuf};

use lattice_claims::{KeyKind, KeyPair, PublicKey, SignActor, SignError, sign_actor};
use lattice_registry::Kind;
use serde::Serialize;

use super::times::Times;
use crate::{
    clock,
    exit::Exit,
    failure::{Failure, Outcome},
    files, images,
    keystore::{self, KeyStore, KeysDir, Make},
    output::{Output, Reply},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The actor: a WebAssembly component or module
    file: PathBuf,
    /// A name for people
    #[arg(short, long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    name: String,
    /// Where the signed file goes [default: FILE with _s before its ending]
    #[arg(short, long, value_name = "FILE")]
    destination: Option<PathBuf>,
    /// A number that grows with each release
    #[arg(short, long)]
    rev: Option<i32>,
    /// A version for people
    #[arg(short, long)]
    ver: Option<String>,
    /// A free word; may be repeated
    #[arg(short, long = "tag")]
    tags: Vec<String>,
    /// A name by which other actors may call it
    #[arg(short = 'a', long)]
    call_alias: Option<String>,
    #[command(flatten)]
    keys: SigningKeys,
    #[command(flatten)]
    times: Times,
    #[command(flatten)]
    old: Capabilities2021,
}

/// Whose key signs, and whom it names.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SigningKeys {
    /// Seed of the account that signs, or its file, or its name [default: $USER_account of your keys]
    #[arg(short, long, env = "WASH_ISSUER_KEY", hide_env_values = true)]
    issuer: Option<String>,
    /// Seed, file, name or public key of what is signed [default: STEM_module or NAME_provider of your keys, STEM being the file's
    /// name]
    #[arg(short, long, env = "WASH_SUBJECT_KEY", hide_env_values = true)]
    subject: Option<String>,
    #[command(flatten)]
    directory: KeysDir,
    /// Fail where a key is missing, in place of making it
    #[arg(long)]
    disable_keygen: bool,
}

impl SigningKeys {
    fn store(&self) -> Outcome<KeyStore> {
        self.directory.open()
    }

    /// Whether the command line says whom the claims are about.
    pub(super) fn names_subject(&self) -> bool {
        self.subject.as_deref().is_some_and(|text| !text.is_empty())
    }

    fn make(&self) -> Make {
        if self.disable_keygen { Make::Never } else { Make::IfMissing }
    }

    /// The key that signs: the one given, else the user's own of `kind`.
    pub(crate) fn issuer(&self, kind: KeyKind, out: &Output) -> Outcome<KeyPair> {
        let store = self.store()?;
        match self.issuer.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => keystore::resolve(text, &store, out),
            None => store.load_or_make(&format!("{}_{kind}", keystore::user()), kind, self.make(), out),
        }
    }

    /// Whom the claims are about: the key given, else the one stored as `name`.
    pub(crate) fn subject(&self, name: &str, kind: KeyKind, out: &Output) -> Outcome<PublicKey> {
        let store = self.store()?;
        match self.subject.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => match text.parse::<PublicKey>() {
                Ok(public) => Ok(public),
                Err(_) => keystore::resolve(text, &store, out).map(|key| key.public_key().clone()),
            },
            None => {
                let key = store.load_or_make(name, kind, self.make(), out)?;
                Ok(key.public_key().clone())
            }
        }
    }
}

/// What actors of 2021 were signed for. Today links say it, so these are refused and not forgotten.
#[derive(Debug, clap::Args)]
struct Capabilities2021 {
    #[arg(short = 'k', long, hide = true)]
    keyvalue: bool,
    #[arg(short = 'g', long = "msg", hide = true)]
    messaging: bool,
    #[arg(short = 'q', long = "http_server", alias = "http-server", hide = true)]
    http_server: bool,
    #[arg(long = "http_client", alias = "http-client", hide = true)]
    http_client: bool,
    #[arg(short = 'f', long = "blob_store", alias = "blob-store", hide = true)]
    blob_store: bool,
    #[arg(short = 'z', long, hide = true)]
    extras: bool,
    #[arg(short = 'l', long, hide = true)]
    logging: bool,
    #[arg(short = 'e', long = "events", hide = true)]
    events: bool,
    #[arg(short = 'c', long = "cap", hide = true)]
    caps: Vec<String>,
    #[arg(short = 'p', long = "prov", hide = true)]
    provider: bool,
}

impl Capabilities2021 {
    fn refuse(&self) -> Outcome {
        let given = [
            (self.keyvalue, "wasmcloud:keyvalue"),
            (self.messaging, "wasmcloud:messaging"),
            (self.http_server, "wasmcloud:httpserver"),
            (self.http_client, "wasmcloud:httpclient"),
            (self.blob_store, "wasmcloud:blobstore"),
            (self.extras, "wasmcloud:extras"),
            (self.logging, "wasmcloud:logging"),
            (self.events, "wasmcloud:eventstreams"),
        ];
        let given = given.iter().filter(|(given, _)| *given).map(|(_, name)| *name);
        let given: Vec<&str> = given.chain(self.caps.iter().map(String::as_str)).collect();
        if let [first, ..] = given.as_slice() {
            let what = format!("actors are no longer signed for capabilities ({})", given.join(", "));
            return Err(Failure::say(Exit::Usage, what).help(format!(
                "A link grants them while everything runs. Sign without, then: wash ctl link put ACTOR PROVIDER {first}"
            )));
        }
        if self.provider {
            let what = "a provider is an archive of native programs here, not a WebAssembly module";
            return Err(Failure::say(Exit::Usage, what).help("Sign it as an actor, without --prov."));
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Done {
    destination: PathBuf,
    name: String,
    account: String,
    module: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    args.old.refuse()?;
    let artifact = images::read_file(&args.file).await?;
    if artifact.kind != Kind::Actor {
        let what = format!("{} is a provider archive, and this signs actors", args.file.display());
        return Err(Failure::say(Exit::Refused, what).help("Archives are signed when they are made."));
    }
    let stem = args.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let now = clock::now();
    let sign = SignActor {
        name: Some(args.name.clone()),
        version: args.ver.clone(),
        revision: args.rev,
        tags: args.tags.clone(),
        call_alias: args.call_alias.clone(),
        expires: args.times.expires(now),
        not_before: args.times.not_before(now),
    };
    let cannot = |error| refused(error).context(format!("cannot sign {}", args.file.display()));
    let try_with = |issuer: &KeyPair| {
        let nobody = KeyPair::generate(KeyKind::Module);
        sign_actor(&artifact.bytes, &sign, issuer, nobody.public_key(), now).map(drop).map_err(cannot)
    };
    // Tried with keys that are thrown away: what cannot be signed leaves no key behind.
    try_with(&KeyPair::generate(KeyKind::Account))?;
    let issuer = args.keys.issuer(KeyKind::Account, out)?;
    try_with(&issuer)?;
    let subject = args.keys.subject(&format!("{stem}_{}", KeyKind::Module), KeyKind::Module, out)?;
    let signed = sign_actor(&artifact.bytes, &sign, &issuer, &subject, now).map_err(cannot)?;
    let destination = args.destination.unwrap_or_else(|| default_destination(&args.file, &stem));
    files::write(&destination, &signed)?;
    out.reply(&Done {
        destination,
        name: args.name,
        account: issuer.public_key().to_string(),
        module: subject.to_string(),
        expires: sign.expires,
    })
}

pub(super) fn refused(error: SignError) -> Failure {
    let remedy = match &error {
        SignError::Wasm(_) => "Build it again: cargo build --target wasm32-wasip2 --release",
        SignError::KeyKind { .. } => "See the keys there are, and of which kind: wash keys list",
        SignError::NeverValid { .. } => "Let --expires be more days than --nbf.",
        _ => "",
    };
    Failure::refused(error).help(remedy)
}

fn default_destination(file: &Path, stem: &str) -> PathBuf {
    let ending = file.extension().map_or_else(|| "wasm".into(), |ending| ending.to_string_lossy());
    file.with_file_name(format!("{stem}_s.{ending}"))
}

impl Reply for Done {
    fn text(&self) -> String {
        format!(
            "Successfully signed {} as {}\n  actor    {}\n  account  {}",
            self.destination.display(),
            self.name,
            self.module,
            self.account
        )
    }
}
