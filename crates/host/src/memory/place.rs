//! Which folder of the slot belongs to the lattice that this host joins.
//!
//! `{slot}/lattices/{lattice}`, `{slot}/lattices/{lattice}.2`, … each belong to one lattice, known by its name and by the
//! servers it was last joined at: a name alone says little, since most lattices are called `default`. One server in common
//! makes it the same lattice; so a cluster may change piece by piece, and a lattice that moved is recognised when its old
//! server is named beside the new one.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use lattice_core::LatticeName;
use lattice_nats::{Loaded, SnapshotFile, SnapshotKind};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

const KIND: SnapshotKind = SnapshotKind { name: "place", version: 1 };
/// Lattices of one name that a slot tells apart.
const FOLDERS_MAX: u32 = 64;

/// Where a lattice is joined. Unknown fields are ignored; missing ones are none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Server {
    /// `host:port` each.
    #[serde(default)]
    servers: BTreeSet<String>,
    /// The JetStream domain that keeps the state.
    #[serde(default)]
    js_domain: Option<String>,
}

impl Server {
    /// `servers` as they are shown: URLs without users, joined by commas.
    pub(crate) fn new(servers: &str, js_domain: Option<&str>) -> Self {
        let servers =
            servers.split(',').map(str::trim).filter(|server| !server.is_empty()).map(address).collect();
        Self { servers, js_domain: js_domain.map(str::to_owned) }
    }

    fn is_same_lattice(&self, other: &Server) -> bool {
        self.js_domain == other.js_domain && !self.servers.is_disjoint(&other.servers)
    }

    fn shown(&self) -> String {
        let servers: Vec<&str> = self.servers.iter().map(String::as_str).collect();
        let domain = self.js_domain.as_ref().map(|domain| format!(" (domain {domain})")).unwrap_or_default();
        format!("{}{domain}", servers.join(", "))
    }
}

/// `nats://localhost` as `127.0.0.1:4222`.
fn address(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
    let has_port =
        rest.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
            && !rest.ends_with(':');
    let with_port = if has_port { rest.to_owned() } else { format!("{rest}:4222") };
    match with_port.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => with_port.to_ascii_lowercase(),
    }
}

/// How a host treats what it remembers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MemoryOptions {
    /// Nothing is restored and nothing is kept.
    pub(crate) ephemeral: bool,
    /// What is remembered is moved away first.
    pub(crate) fresh: bool,
}

/// The folder of one lattice; none for a host that keeps nothing.
#[derive(Debug, Clone)]
pub(crate) struct Memory(Option<PathBuf>);

impl Memory {
    /// Finds or makes the folder in `slot`. Blocks for a moment.
    pub(crate) fn open(
        slot: &Path,
        lattice: &LatticeName,
        server: &Server,
        options: MemoryOptions,
    ) -> anyhow::Result<Self> {
        if options.ephemeral {
            return Ok(Self(None));
        }
        let lattices = slot.join("lattices");
        let failed = || format!("cannot keep the host's memory in {}", lattices.display());
        fs::create_dir_all(&lattices).with_context(failed)?;
        if options.fresh {
            move_away(&lattices, lattice, server).with_context(failed)?;
        }
        let folder = find(&lattices, lattice, server).with_context(failed)?;
        fs::create_dir_all(&folder).with_context(failed)?;
        place_file(&folder).write(server).with_context(failed)?;
        // The folders that were made are to be found after a power cut, too.
        for made in [folder.as_path(), lattices.as_path(), slot] {
            fs::File::open(made).and_then(|made| made.sync_all()).with_context(failed)?;
        }
        Ok(Self(Some(folder)))
    }

    /// The folder, where there is one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}

fn place_file(folder: &Path) -> SnapshotFile {
    SnapshotFile::new(folder.join("place.snapshot"), KIND)
}

/// The name of the folder with that number.
fn folder_of(lattices: &Path, lattice: &LatticeName, number: u32) -> PathBuf {
    match number {
        1 => lattices.join(lattice.as_str()),
        number => lattices.join(format!("{lattice}.{number}")),
    }
}

/// The folder that is `server`'s, or the first free one.
fn find(lattices: &Path, lattice: &LatticeName, server: &Server) -> anyhow::Result<PathBuf> {
    let mut others = Vec::new();
    let mut free = None;
    for number in 1..=FOLDERS_MAX {
        let folder = folder_of(lattices, lattice, number);
        if !folder.is_dir() {
            free.get_or_insert(folder);
            continue;
        }
        match read_place(&folder)? {
            Some(place) if place.is_same_lattice(server) => return Ok(folder),
            Some(place) => others.push(place.shown()),
            None => {}
        }
    }
    if !others.is_empty() {
        info!(
            lattice = %lattice, here = server.shown(), others = others.join("; "),
            "this host remembers lattices of that name at other servers; nothing of them is used here. If one has moved, \
             name its old server beside the new one once"
        );
    }
    free.with_context(|| {
        format!("{FOLDERS_MAX} lattices called {lattice} are remembered already; --ephemeral keeps nothing")
    })
}

/// Whose a folder is; one that does not say so is nobody's, and stays as it is.
fn read_place(folder: &Path) -> anyhow::Result<Option<Server>> {
    Ok(match place_file(folder).read()? {
        Loaded::Whole(place) => Some(place),
        Loaded::Absent => None,
        Loaded::Aside(aside) => {
            warn!("{aside}; the folder is not used");
            None
        }
    })
}

/// Moves `server`'s folder to a name that no host looks at.
fn move_away(lattices: &Path, lattice: &LatticeName, server: &Server) -> anyhow::Result<()> {
    for number in 1..=FOLDERS_MAX {
        let folder = folder_of(lattices, lattice, number);
        if folder.is_dir() && read_place(&folder)?.is_some_and(|place| place.is_same_lattice(server)) {
            let old = (1..)
                .map(|number| lattices.join(format!("{lattice}.old.{number}")))
                .find(|old| !old.exists());
            let old = old.context("no name is free")?;
            fs::rename(&folder, &old)?;
            info!(moved_to = %old.display(), "starting fresh: what was remembered is out of the way");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(slot: &Path, servers: &str, options: MemoryOptions) -> Option<String> {
        let server = Server::new(servers, None);
        let memory = Memory::open(slot, &LatticeName::default(), &server, options).unwrap();
        memory.folder().map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
    }

    #[test]
    fn addresses() {
        for (url, expected) in [
            ("nats://127.0.0.1:4222", "127.0.0.1:4222"),
            ("nats://localhost", "127.0.0.1:4222"),
            ("tls://Example.org:7422/", "example.org:7422"),
            ("[::1]:4222", "[::1]:4222"),
        ] {
            assert_eq!(address(url), expected);
        }
    }

    #[test]
    fn a_lattice_is_known_by_its_name_and_any_of_its_servers() {
        let slot = tempfile::tempdir().unwrap();
        let kept = MemoryOptions::default();
        let next = |servers: &str| open(slot.path(), servers, kept).unwrap();
        assert_eq!(next("nats://a:1"), "default");
        assert_eq!(next("nats://b:1"), "default.2");
        assert_eq!(next("nats://a:1, nats://c:1"), "default", "one in common");
        assert_eq!(next("nats://c:1"), "default", "piece by piece");
        assert_eq!(next("nats://a:1"), "default.3");
        let domain = Server::new("nats://c:1", Some("site"));
        let memory = Memory::open(slot.path(), &LatticeName::default(), &domain, kept).unwrap();
        assert!(memory.folder().unwrap().ends_with("default.4"));
        let other =
            Memory::open(slot.path(), &"other".parse().unwrap(), &Server::new("nats://c:1", None), kept);
        assert!(other.unwrap().folder().unwrap().ends_with("other"));
    }

    #[test]
    fn fresh_moves_away_and_ephemeral_touches_nothing() {
        let slot = tempfile::tempdir().unwrap();
        let fresh = MemoryOptions { fresh: true, ..MemoryOptions::default() };
        assert_eq!(open(slot.path(), "nats://a:1", MemoryOptions::default()).unwrap(), "default");
        let file = slot.path().join("lattices/default/facts.snapshot");
        fs::write(&file, "kept").unwrap();
        assert_eq!(open(slot.path(), "nats://b:1", fresh).unwrap(), "default.2", "another one's stays");
        assert!(file.exists());
        assert_eq!(open(slot.path(), "nats://a:1", fresh).unwrap(), "default");
        assert!(!file.exists());
        assert!(slot.path().join("lattices/default.old.1/facts.snapshot").exists());
        let slot = tempfile::tempdir().unwrap();
        let ephemeral = MemoryOptions { ephemeral: true, ..MemoryOptions::default() };
        assert_eq!(open(slot.path(), "nats://a:1", ephemeral), None);
        assert_eq!(fs::read_dir(slot.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_does_not_say_whose_it_is_is_left_alone() {
        let slot = tempfile::tempdir().unwrap();
        assert_eq!(open(slot.path(), "nats://a:1", MemoryOptions::default()).unwrap(), "default");
        fs::write(slot.path().join("lattices/default/place.snapshot"), "rubbish").unwrap();
        assert_eq!(open(slot.path(), "nats://a:1", MemoryOptions::default()).unwrap(), "default.2");
        assert!(slot.path().join("lattices/default/place.snapshot.corrupt").exists());
    }
}
