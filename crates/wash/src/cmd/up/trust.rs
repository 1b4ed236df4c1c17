//! Whose signatures count: the accounts named, and the user's own.

use std::path::{Path, PathBuf};

use lattice_claims::{KeyKind, KeyPair, PublicKey};

use super::args::HostArgs;
use crate::{
    failure::{Failure, Outcome},
    output::Output,
};

/// Public keys of all trusted accounts. The user's own are said.
pub(super) fn accounts(out: &Output, args: &HostArgs) -> Outcome<Vec<String>> {
    let mut trusted = Vec::new();
    // A variable that is set to nothing names nobody.
    for text in args.trust.iter().filter(|text| !text.is_empty()) {
        let key = PublicKey::of_kind(text, KeyKind::Account).map_err(|error| {
            Failure::usage(error)
                .context(format!("--trust {text:?} names no account"))
                .help("write the account's public key (A…); `wash keys list` shows yours")
        })?;
        trusted.push(key.to_string());
    }
    let Some(folder) = args.keys_dir.clone().or_else(usual_folder) else { return Ok(trusted) };
    let mut own = Vec::new();
    for file in account_files(&folder)? {
        match public_key(&file) {
            Ok(key) => own.push((file, key)),
            Err(why) => out.note(format!("{} is no account key and is not trusted: {why}", file.display())),
        }
    }
    for (file, key) in own {
        if !trusted.contains(&key) {
            out.note(format!("trusting your account {key} ({})", file.display()));
            trusted.push(key);
        }
    }
    if trusted.is_empty() && !args.allow_unsigned {
        out.note(
            "no account is trusted, so no actor will start: sign an actor (`wash claims sign`) or make an account (`wash keys \
             gen account --name default`) and run `wash up` again, name another's with --trust, or use --allow-unsigned",
        );
    }
    Ok(trusted)
}

fn usual_folder() -> Option<PathBuf> {
    std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|home| home.is_absolute())
        .map(|home| home.join(".wash/keys"))
}

/// Files called `*_account.nk`, in order.
fn account_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let cannot = |error: std::io::Error| {
        Failure::refused(error).context(format!("cannot read the keys in {}", folder.display()))
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(cannot)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.ends_with("_account.nk") || name == "account.nk") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn public_key(file: &Path) -> Result<String, String> {
    let seed = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let pair = KeyPair::from_seed(seed.trim()).map_err(|error| error.to_string())?;
    let key = pair.public_key();
    if key.kind() == KeyKind::Account {
        Ok(key.to_string())
    } else {
        Err(format!("it is a key of kind {}", key.kind()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{exit::Exit, output::Format};

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        host: HostArgs,
    }

    #[test]
    fn only_accounts_can_be_trusted_and_nothing_is_nobody() {
        let keys = tempfile::tempdir().unwrap();
        let trusted = |list: &str| {
            let folder = keys.path().to_str().unwrap();
            let line = Line::try_parse_from(["up", "--keys-dir", folder, "--trust", list]).unwrap();
            accounts(&Output::new(Format::Text), &line.host)
        };
        assert!(trusted("").unwrap().is_empty());
        let account = KeyPair::generate(KeyKind::Account).public_key().to_string();
        assert_eq!(trusted(&format!("{account},")).unwrap(), [account]);
        for wrong in ["nonsense", KeyPair::generate(KeyKind::Module).public_key().as_str()] {
            assert_eq!(trusted(wrong).unwrap_err().exit(), Exit::Usage);
        }
    }
}
