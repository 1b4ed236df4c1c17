//! `wash par create --binary FILE --name NAME --vendor VENDOR`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use lattice_claims::{ArchiveError, Compress, KeyKind, KeyPair, SignProvider, create_provider};
use serde::Serialize;

use crate::{
    clock,
    cmd::claims::SigningKeys,
    exit::Exit,
    failure::{Failure, Outcome},
    files,
    output::{Output, Reply},
};

const DAY_SECONDS: u64 = 86_400;
/// The largest program that is packed, in bytes: hosts take no larger archives.
const BINARY_BYTES_MAX: u64 = 1 << 30;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wash par create --binary target/release/my-store --name my-store --vendor us
  wash par create --binary my-store.x86 --arch x86_64-linux --binary my-store.arm --arch aarch64-linux \\
    --name my-store --vendor us --compress")]
pub(crate) struct Args {
    /// The program; may be repeated, each with its --arch
    #[arg(short, long = "binary", value_name = "FILE", required = true)]
    binaries: Vec<PathBuf>,
    /// What the program runs on, ARCH-OS as in x86_64-linux; as often as --binary, in the same order [default: this machine]
    #[arg(short, long = "arch", value_name = "TARGET")]
    archs: Vec<String>,
    /// A name for people
    #[arg(short, long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    name: String,
    /// Who made it
    #[arg(short, long)]
    vendor: String,
    /// Where the archive goes [default: NAME.par, or NAME.par.gz with --compress]
    #[arg(long, value_name = "FILE")]
    destination: Option<PathBuf>,
    /// Make it smaller with gzip
    #[arg(long)]
    compress: bool,
    /// A number that grows with each release
    #[arg(short, long)]
    rev: Option<i32>,
    /// A version for people
    #[arg(long)]
    version: Option<String>,
    /// A JSON schema of the configuration of its links
    #[arg(short = 'j', long, value_name = "FILE")]
    schema: Option<PathBuf>,
    #[command(flatten)]
    keys: SigningKeys,
    /// Days from now after which the signature no longer counts [default: never]
    #[arg(short = 'x', long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500))]
    expires: Option<u64>,
}

#[derive(Serialize)]
struct Done {
    destination: PathBuf,
    name: String,
    account: String,
    service: String,
    targets: Vec<String>,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let binaries = args.programs()?;
    let now = clock::now();
    let sign = SignProvider {
        name: args.name.clone(),
        vendor: args.vendor.clone(),
        version: args.version.clone(),
        revision: args.rev,
        config_schema: args.schema.as_deref().map(schema).transpose()?,
        expires: args.expires.map(|days| now + days * DAY_SECONDS),
        not_before: None,
        compress: if args.compress { Compress::Gzip } else { Compress::No },
    };
    // Tried with keys that are thrown away, and without the programs: what cannot be signed leaves no key behind.
    let empty = binaries.keys().map(|target| (target.clone(), Vec::new())).collect();
    let (nobody, nothing) = (KeyPair::generate(KeyKind::Account), KeyPair::generate(KeyKind::Provider));
    create_provider(&sign, &empty, None, &nobody, nothing.public_key(), now).map_err(refused)?;
    let issuer = args.keys.issuer(KeyKind::Account, out)?;
    let stem = file_stem(&args.name);
    let subject = args.keys.subject(&format!("{stem}_{}", KeyKind::Provider), KeyKind::Provider, out)?;
    let archive = create_provider(&sign, &binaries, None, &issuer, &subject, now).map_err(refused)?;
    let ending = if args.compress { "par.gz" } else { "par" };
    let destination = args.destination.clone().unwrap_or_else(|| PathBuf::from(format!("{stem}.{ending}")));
    files::write(&destination, &archive)?;
    out.reply(&Done {
        destination,
        name: args.name,
        account: issuer.public_key().to_string(),
        service: subject.to_string(),
        targets: binaries.into_keys().collect(),
        bytes: archive.len(),
        expires: sign.expires,
    })
}

impl Args {
    /// The programs by what they run on.
    fn programs(&self) -> Outcome<BTreeMap<String, Vec<u8>>> {
        let here = || format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        let targets = match (self.archs.len(), self.binaries.len()) {
            (0, 1) => vec![here()],
            (given, wanted) if given == wanted => self.archs.clone(),
            (given, wanted) => {
                let text = format!("there are {wanted} programs, and {given} times --arch");
                return Err(Failure::say(Exit::Usage, text).help("name one --arch for each --binary"));
            }
        };
        let mut programs = BTreeMap::new();
        for (target, file) in targets.into_iter().zip(&self.binaries) {
            if programs.contains_key(&target) {
                let text = format!("there are two programs for {target}, and an archive has one for each");
                return Err(Failure::say(Exit::Usage, text).help("leave one out"));
            }
            programs.insert(target, program(file)?);
        }
        Ok(programs)
    }
}

fn program(file: &Path) -> Outcome<Vec<u8>> {
    let cannot = |error: std::io::Error| {
        Failure::refused(error).context(format!("cannot read {}", file.display())).help("check the path")
    };
    let size = std::fs::metadata(file).map_err(cannot)?.len();
    if size > BINARY_BYTES_MAX {
        let text = format!("{} has {size} bytes; the most is {BINARY_BYTES_MAX}", file.display());
        return Err(Failure::say(Exit::Refused, text).help("build it with --release, and strip it"));
    }
    let bytes = std::fs::read(file).map_err(cannot)?;
    if bytes.starts_with(b"\0asm") {
        let text = format!("{} is WebAssembly, and a provider is a program of the machine", file.display());
        return Err(
            Failure::say(Exit::Refused, text).help("sign it as an actor: wash claims sign FILE --name NAME")
        );
    }
    Ok(bytes)
}

fn schema(file: &Path) -> Outcome<serde_json::Value> {
    let text = files::read_text(file, 1 << 20)
        .map_err(|error| Failure::refused(error).context(format!("cannot read {}", file.display())))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::refused(error).context(format!("{} is no JSON", file.display())))
}

/// The name as a file's.
fn file_stem(name: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    name.to_lowercase().chars().map(legal).collect()
}

fn refused(error: ArchiveError) -> Failure {
    let remedy = match &error {
        ArchiveError::BadName { .. } => "Write --arch as ARCH-OS, as in x86_64-linux or aarch64-macos.",
        ArchiveError::Sign(_) => "See the keys there are, and of which kind: wash keys list",
        _ => "",
    };
    Failure::refused(error).help(remedy)
}

impl Reply for Done {
    fn text(&self) -> String {
        format!(
            "Successfully packed {} as {} for {}\n  provider  {}\n  account   {}",
            self.destination.display(),
            self.name,
            self.targets.join(", "),
            self.service,
            self.account
        )
    }
}
