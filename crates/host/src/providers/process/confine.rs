//! What a provider's process sees of the machine: all of it but the host's own files and processes, with which it would be the host.
//!
//! The host starts itself with the word [`COMMAND`], gives up those rights by Landlock, for itself and whatever it becomes, and becomes the
//! provider. Landlock knows only what is allowed, so everything is, but for the folders on the way to what is hidden: of those
//! what is in them at that moment.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, ErrorKind},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use caps::{CapSet, Capability, errors::CapsError};
use clap::Args;
use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, Scope, path_beneath_rules,
};

/// The word by which a host starts itself to confine a provider.
pub(crate) const COMMAND: &str = "confine-provider";
/// This program, also where its file was replaced meanwhile.
const MYSELF: &str = "/proc/self/exe";
/// Rights that are known; a kernel that knows fewer keeps those.
const KNOWN: ABI = ABI::V6;
/// What lets root look into other processes, change the kernel, or open files past what confines it. What else root may, a provider keeps: to
/// bind low ports, as one of it may have to.
const DROPPED: [Capability; 10] = [
    Capability::CAP_BPF,
    Capability::CAP_CHECKPOINT_RESTORE,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_MKNOD,
    Capability::CAP_PERFMON,
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_SYS_BOOT,
    Capability::CAP_SYS_MODULE,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_SYS_RAWIO,
];
/// A file that was written a moment ago may be held by another process that is just being started.
pub(super) const BUSY_TRIES: u32 = 40;
pub(super) const BUSY_PAUSE: Duration = Duration::from_millis(25);

/// What is kept from a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(crate) struct Confinement {
    /// Folders and files that it neither sees nor changes
    #[arg(long, value_name = "PATH")]
    hide: Vec<PathBuf>,
    /// Folders of which it does not see the files with keys and credentials that lie there when it is started
    #[arg(long, value_name = "DIR")]
    hide_secrets_of: Vec<PathBuf>,
    /// Files that it reads although they are in such a folder
    #[arg(long, value_name = "FILE")]
    show: Vec<PathBuf>,
}

/// A program, confined.
#[derive(Debug, Args)]
pub struct Confined {
    #[command(flatten)]
    confinement: Confinement,
    /// The program to become
    program: PathBuf,
}

impl Confinement {
    /// Hides what is there; whatever is called so later, too.
    pub(crate) fn hiding(
        hide: impl IntoIterator<Item = PathBuf>,
        secrets_of: impl IntoIterator<Item = PathBuf>,
        show: impl IntoIterator<Item = PathBuf>,
    ) -> Self {
        fn absolute(paths: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
            paths.into_iter().map(|path| std::path::absolute(&path).unwrap_or(path)).collect()
        }
        Self { hide: absolute(hide), hide_secrets_of: absolute(secrets_of), show: absolute(show) }
    }

    /// What becomes `program`, confined.
    pub(super) fn command(&self, program: &Path) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(MYSELF);
        command.arg(COMMAND);
        for path in &self.hide {
            command.arg("--hide").arg(path);
        }
        for folder in &self.hide_secrets_of {
            command.arg("--hide-secrets-of").arg(folder);
        }
        for file in self.show.iter().map(PathBuf::as_path).chain([program]) {
            command.arg("--show").arg(file);
        }
        command.arg("--").arg(program);
        command
    }

    fn restrict(&self) -> Result<(), ConfineError> {
        let open = visible(Path::new("/"), &self.hidden());
        Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN))?
            .scope(Scope::Signal)?
            .create()?
            .add_rules(path_beneath_rules(open, AccessFs::from_all(KNOWN)))?
            .add_rules(path_beneath_rules(&self.show, AccessFs::from_read(KNOWN)))?
            .restrict_self()?;
        // Landlock has seen to it that no program gets them back.
        drop_capabilities()?;
        Ok(())
    }

    /// Without links on the way, so that they compare with what folders hold.
    fn hidden(&self) -> BTreeSet<PathBuf> {
        let secrets = self.hide_secrets_of.iter().flat_map(|folder| secrets_in(folder));
        self.hide.iter().cloned().chain(secrets).map(|path| real(&path)).chain(disks()).collect()
    }
}

/// Why nothing is hidden.
#[derive(Debug, thiserror::Error)]
enum ConfineError {
    #[error(transparent)]
    Landlock(#[from] RulesetError),
    #[error(transparent)]
    Capabilities(#[from] CapsError),
}

fn drop_capabilities() -> Result<(), CapsError> {
    for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        let held = caps::read(None, set)?;
        let kept = held.iter().copied().filter(|held| !DROPPED.contains(held)).collect();
        if kept != held {
            caps::set(None, set, &kept)?;
        }
    }
    Ok(())
}

/// What a kernel cannot do, of which the rest is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lacks {
    /// It has no Landlock.
    Everything,
    /// Files that may not be written can be emptied, before Linux 6.2; and signals are sent as below.
    TruncationAndSignals,
    /// Signals are sent to whomever the system lets, before Linux 6.12.
    Signals,
}

/// What this kernel cannot do; none where it can do all.
pub(crate) fn what_kernel_lacks() -> Option<Lacks> {
    let strict = || Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let handles =
        |version: ABI| strict().handle_access(AccessFs::from_all(version)).and_then(Ruleset::create).is_ok();
    if !handles(ABI::V1) {
        return Some(Lacks::Everything);
    }
    if !handles(ABI::V3) {
        return Some(Lacks::TruncationAndSignals);
    }
    let scopes = strict()
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(|ruleset| ruleset.scope(Scope::Signal))
        .and_then(Ruleset::create);
    scopes.is_err().then_some(Lacks::Signals)
}

/// Gives up what is hidden and becomes the program; comes back only with the reason why not.
#[must_use]
pub fn confine(confined: &Confined) -> String {
    let path = confined.program.display();
    if let Err(error) = confined.confinement.restrict() {
        return format!("the host's files cannot be hidden from {path}: {error}");
    }
    format!("{path} does not start: {}", become_program(&confined.program))
}

fn become_program(program: &Path) -> io::Error {
    let mut tries = 0;
    loop {
        let error = Command::new(program).exec();
        if error.kind() != ErrorKind::ExecutableFileBusy || tries == BUSY_TRIES {
            return error;
        }
        tries += 1;
        std::thread::sleep(BUSY_PAUSE);
    }
}

/// Endings of files with keys and credentials.
const SECRET: [&str; 3] = ["creds", "key", "nk"];

/// The files of the kind in a folder.
fn secrets_in(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_secret =
        |path: &PathBuf| path.extension().is_some_and(|end| SECRET.iter().any(|secret| end == *secret));
    files.filter(is_secret).collect()
}

/// The disks of this machine: whoever is root reads in them what no folder shows.
fn disks() -> Vec<PathBuf> {
    use std::os::unix::fs::FileTypeExt as _;
    let devices = fs::read_dir("/dev").into_iter().flatten().flatten();
    let is_disk = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_block_device());
    devices.filter(is_disk).map(|entry| entry.path()).collect()
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    match (fs::canonicalize(path), path.parent(), path.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        (Err(_), ..) => path.to_owned(),
    }
}

/// What is below `folder`, in as few paths as there are, without what is hidden. Links are left out: where they lead counts.
fn visible(folder: &Path, hidden: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let mut seen = Vec::new();
    for path in within(folder, hidden) {
        let is_link = fs::symlink_metadata(&path).is_ok_and(|about| about.is_symlink());
        if is_link || hidden.contains(&path) {
            continue;
        }
        match hidden.iter().any(|hidden| hidden.starts_with(&path)) {
            true => seen.extend(visible(&path, hidden)),
            false => seen.push(path),
        }
    }
    seen
}

/// What a folder holds; of one that may not be listed, what leads to what is hidden.
fn within(folder: &Path, hidden: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let listed = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let on_the_way = hidden.iter().filter_map(|hidden| {
        let next = hidden.strip_prefix(folder).ok()?.components().next()?;
        Some(folder.join(next))
    });
    listed.chain(on_the_way).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_seen_but_what_is_hidden_and_the_way_there() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for folder in ["data/hosts/0", "home/me/cache", "home/me/work", "usr/bin"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::write(at("home/me/me.creds"), "").unwrap();
        std::os::unix::fs::symlink(at("data"), at("home/me/work/link")).unwrap();
        std::os::unix::fs::symlink(at("data"), at("home/link")).unwrap();
        let hidden = ["data", "home/me/me.creds", "home/me/cache", "home/me/later"].map(at).into();
        let seen: BTreeSet<PathBuf> = visible(root.path(), &hidden).into_iter().collect();
        assert_eq!(seen, ["home/me/work", "usr"].map(at).into());
        assert!(visible(&at("data"), &[at("data")].into()).contains(&at("data/hosts")));
    }

    #[test]
    fn what_is_hidden_is_known_by_the_path_without_links() {
        let root = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(root.path()).unwrap();
        fs::create_dir(base.join("real")).unwrap();
        std::os::unix::fs::symlink(base.join("real"), base.join("link")).unwrap();
        for (path, is) in [("link", "real"), ("link/not/there", "real/not/there"), ("none", "none")] {
            assert_eq!(real(&base.join(path)), base.join(is), "{path}");
        }
    }
}
