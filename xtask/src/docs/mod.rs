//! The documents as tests: their links lead somewhere, and their commands do what they say.

mod blocks;
mod commands;
mod expected;
mod external;
mod links;
mod markdown;

use std::path::{Path, PathBuf};

use anyhow::Context;

pub(crate) use commands::{Programs, run_commands};
pub(crate) use external::unanswered_links;
pub(crate) use links::broken_links;

/// Folders that hold no documents of ours.
const SKIPPED: [&str; 4] = ["target", ".git", ".lattice", "node_modules"];

/// All Markdown files of the repository, relative to `root`, in order.
fn documents(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            let (path, kind) = (entry.path(), entry.file_type().context("cannot tell what a file is")?);
            if kind.is_dir() && !SKIPPED.iter().any(|name| path.ends_with(name)) {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|ext| ext == "md") {
                found.push(path.strip_prefix(root).unwrap_or(&path).to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(root: &Path, document: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(root.join(document))
        .with_context(|| format!("cannot read {}", document.display()))
}
