//! `wash claims token KIND`: claims as a bare token, for those who embed them themselves.

use std::collections::BTreeMap;

use lattice_claims::{
    AccountMetadata, ActorMetadata, Claims, ClusterMetadata, HostMetadata, KeyKind, KeyPair, Metadata,
    OperatorMetadata, ProviderMetadata, PublicKey, normalize_call_alias, sign_token,
};
use serde::Serialize;

use super::{sign::SigningKeys, sign::refused, times::Times};
use crate::{
    clock,
    failure::Outcome,
    keystore,
    output::{Output, Reply},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, clap::Subcommand)]
enum Kind {
    /// About an actor. It covers no file: a host runs only actors signed with wash claims sign.
    #[command(visible_alias = "component")]
    Actor(Box<Actor>),
    /// About a provider.
    Provider(Box<Provider>),
    /// About an account, signed by an operator.
    Account(Box<Entity>),
    /// About an operator, signed by itself.
    Operator(Box<Entity>),
    /// About a cluster, signed by an operator.
    Cluster(Box<Entity>),
    /// About a host, signed by an account.
    Host(Box<Host>),
}

#[derive(Debug, clap::Args)]
struct Common {
    /// A name for people
    #[arg(short, long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    name: String,
    #[command(flatten)]
    keys: SigningKeys,
    #[command(flatten)]
    times: Times,
}

#[derive(Debug, clap::Args)]
struct Actor {
    #[command(flatten)]
    common: Common,
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
    /// Upper-case hex SHA-256 of the file that the token is about
    #[arg(long, default_value = "")]
    hash: String,
}

#[derive(Debug, clap::Args)]
struct Provider {
    #[command(flatten)]
    common: Common,
    /// Who made it
    #[arg(short = 'e', long)]
    vendor: String,
    /// A number that grows with each release
    #[arg(short, long)]
    rev: Option<i32>,
    /// A version for people
    #[arg(short, long)]
    ver: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Entity {
    #[command(flatten)]
    common: Common,
    /// Public key that also signs for it; may be repeated
    #[arg(short = 'k', long = "additional-key", value_name = "KEY")]
    signers: Vec<PublicKey>,
}

#[derive(Debug, clap::Args)]
struct Host {
    #[command(flatten)]
    common: Common,
    /// A label, NAME=VALUE; may be repeated
    #[arg(short, long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Token {
    token: String,
    issuer: String,
    subject: String,
}

impl Reply for Token {
    /// The token alone, so that it can be piped.
    fn text(&self) -> String {
        self.token.clone()
    }
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let signers = |keys: &[PublicKey]| {
        let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
        (!texts.is_empty()).then_some(texts)
    };
    match args.kind {
        Kind::Actor(args) => {
            let about = ActorMetadata {
                name: Some(args.common.name.clone()),
                hash: args.hash.clone(),
                tags: (!args.tags.is_empty()).then(|| args.tags.clone()),
                revision: args.rev,
                version: args.ver.clone(),
                call_alias: args.call_alias.as_deref().map(normalize_call_alias),
                ..ActorMetadata::default()
            };
            sign(about, KeyKind::Account, &args.common, out)
        }
        Kind::Provider(args) => {
            let about = ProviderMetadata {
                name: Some(args.common.name.clone()),
                vendor: args.vendor.clone(),
                revision: args.rev,
                version: args.ver.clone(),
                ..ProviderMetadata::default()
            };
            sign(about, KeyKind::Account, &args.common, out)
        }
        Kind::Account(args) => {
            let name = Some(args.common.name.clone());
            let about = AccountMetadata { name, valid_signers: signers(&args.signers) };
            sign(about, KeyKind::Operator, &args.common, out)
        }
        Kind::Operator(args) => {
            let name = Some(args.common.name.clone());
            let about = OperatorMetadata { name, valid_signers: signers(&args.signers) };
            sign(about, KeyKind::Operator, &args.common, out)
        }
        Kind::Cluster(args) => {
            let name = Some(args.common.name.clone());
            let about = ClusterMetadata { name, valid_signers: signers(&args.signers) };
            sign(about, KeyKind::Operator, &args.common, out)
        }
        Kind::Host(args) => {
            let labels: BTreeMap<String, String> = args.labels.iter().cloned().collect();
            let labels = (!labels.is_empty()).then_some(labels);
            let about = HostMetadata { name: Some(args.common.name.clone()), labels };
            sign(about, KeyKind::Account, &args.common, out)
        }
    }
}

/// Signs `about` with the key given, else with the user's own of kind `signs`.
fn sign<M: Metadata + Serialize>(about: M, signs: KeyKind, common: &Common, out: &Output) -> Outcome {
    let issuer: KeyPair = common.keys.issuer(signs, out)?;
    // An operator speaks about itself, all others about a key of their own.
    let itself = M::SUBJECT == signs;
    let subject = if itself && !common.keys.names_subject() {
        issuer.public_key().clone()
    } else {
        common.keys.subject(
            &format!("{}_{}", keystore::file_name(&common.name), M::SUBJECT),
            M::SUBJECT,
            out,
        )?
    };
    let now = clock::now();
    let mut claims = Claims::new(issuer.public_key(), &subject, about, now);
    claims.expires = common.times.expires(now);
    claims.not_before = common.times.not_before(now);
    let token = sign_token(&claims, &issuer).map_err(refused)?;
    out.reply(&Token { token, issuer: claims.issuer, subject: claims.subject })
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}
