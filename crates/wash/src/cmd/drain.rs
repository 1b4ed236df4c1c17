//! `wash drain all|oci|lib`: empties caches. Emptying a host is another command, `wash host drain`.

use std::{fs, io, path::Path};

use lattice_registry::{Cache, Emptied};
use serde::Serialize;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    images::CacheArgs,
    output::{Align, Output, Reply, table},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// oci: artifacts that were pulled; lib: code that was compiled; all: both
    #[arg(value_enum)]
    what: What,
    #[command(flatten)]
    cache: CacheArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    All,
    Oci,
    Lib,
}

#[derive(Serialize)]
struct Drained {
    drained: Vec<Folder>,
}

#[derive(Serialize)]
struct Folder {
    cache: &'static str,
    path: String,
    #[serde(flatten)]
    emptied: Emptied,
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    let (Some(oci), Some(code)) = (args.cache.oci(), args.cache.code()) else {
        return Err(Failure::say(Exit::Refused, "there is no home folder, so there are no caches")
            .help("Name the folder: --cache-dir DIR"));
    };
    let failed =
        |path: &Path, error| Failure::refused(error).context(format!("cannot empty {}", path.display()));
    let mut drained = Vec::new();
    if args.what != What::Lib {
        let emptied = Cache::new(&oci, 0).empty().map_err(|error| failed(&oci, error))?;
        drained.push(Folder { cache: "oci", path: oci.display().to_string(), emptied });
    }
    if args.what != What::Oci {
        let emptied = empty_code(&code).map_err(|error| failed(&code, error))?;
        drained.push(Folder { cache: "lib", path: code.display().to_string(), emptied });
    }
    out.reply(&Drained { drained })
}

/// Removes compiled code and nothing else: the folder's place comes from a flag, which may be mistyped.
fn empty_code(dir: &Path) -> io::Result<Emptied> {
    let mut emptied = Emptied::default();
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(emptied),
        Err(error) => return Err(error),
    };
    for entry in listing {
        let entry = entry?;
        let name = entry.file_name();
        let about = entry.metadata()?;
        if about.is_file() && name.to_str().is_some_and(is_code) {
            fs::remove_file(entry.path())?;
            emptied.files += 1;
            emptied.bytes += about.len();
        }
    }
    Ok(emptied)
}

/// Names as the code cache gives them: two hashes and `.code`, or `.aside-` and a number while it writes.
fn is_code(name: &str) -> bool {
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    match (name.strip_suffix(".code"), name.strip_prefix(".aside-")) {
        (Some(hashes), _) => hashes.split_once('-').is_some_and(|(one, other)| hex(one) && hex(other)),
        (_, Some(number)) => hex(number),
        _ => false,
    }
}

impl Reply for Drained {
    fn text(&self) -> String {
        let columns = [
            ("emptied", Align::Left),
            ("files", Align::Right),
            ("bytes", Align::Right),
            ("folder", Align::Left),
        ];
        let row = |folder: &Folder| {
            let Emptied { files, bytes, .. } = folder.emptied;
            [folder.cache.to_owned(), files.to_string(), bytes.to_string(), folder.path.clone()]
        };
        table(&columns, self.drained.iter().map(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_compiled_code_is_removed() {
        for (name, ours) in [
            ("00ff-0a.code", true),
            (".aside-00ff", true),
            ("main.code", false),
            ("notes-draft.code", false),
            ("README.md", false),
            (".aside-x", false),
        ] {
            assert_eq!(is_code(name), ours, "{name}");
        }
    }
}
