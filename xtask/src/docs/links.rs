//! Every link of every document leads to a file of the repository and an anchor in it; one to elsewhere is well formed.

use std::path::{Component, Path, PathBuf};

use super::external::{addresses, malformed};
use super::markdown::{Line, anchors, lines, targets, without_code};
use super::{documents, read};

/// One line for each link that leads nowhere, or is none.
pub(crate) fn broken_links(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut broken = Vec::new();
    for document in documents(root)? {
        let text = read(root, &document)?;
        for (number, line) in lines(&text) {
            let Line::Prose(line) = line else { continue };
            let mut judge = |target: &str, outcome: Result<(), String>| {
                if let Err(reason) = outcome {
                    broken.push(format!("{}:{number}: {target}: {reason}", document.display()));
                }
            };
            for target in targets(line) {
                judge(&target, follow(root, &document, &text, &target));
            }
            for address in addresses(&without_code(line)) {
                judge(address, malformed(address));
            }
        }
    }
    Ok(broken)
}

fn follow(root: &Path, document: &Path, text: &str, target: &str) -> Result<(), String> {
    if ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return Ok(());
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let file = match path.is_empty() {
        true => document.to_owned(),
        false => inside(&document.parent().unwrap_or(Path::new("")).join(path))
            .ok_or("it leads out of the repository")?,
    };
    if !root.join(&file).exists() {
        return Err(format!("there is no {}", file.display()));
    }
    let Some(anchor) = anchor else { return Ok(()) };
    let offered = match path.is_empty() {
        true => anchors(text),
        false => anchors(&std::fs::read_to_string(root.join(&file)).map_err(|error| error.to_string())?),
    };
    match offered.iter().any(|offer| offer == anchor) {
        true => Ok(()),
        false => Err(format!("{} has no #{anchor}", file.display())),
    }
}

/// The path without `.` and `..`; `None` when it leaves the folder that it is relative to.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir if clean.pop() => {}
            _ => return None,
        }
    }
    Some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_from_where_they_stand() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = dir.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        write(
            "README.md",
            "# Top\n[a](docs/a.md#part) [b](docs/b.md) [c](#top) [d](#bottom) [e](https://example.org) [f](http://example.org)\n",
        );
        write("docs/a.md", "## Part\n[up](../README.md#top) [out](../../etc) [gone](../README.md#gone)\n");
        let broken = broken_links(dir.path()).unwrap();
        assert_eq!(
            broken,
            [
                "README.md:2: docs/b.md: there is no docs/b.md",
                "README.md:2: #bottom: README.md has no #bottom",
                "README.md:2: http://example.org: write https://; plain http:// is for this machine's own addresses",
                "docs/a.md:2: ../../etc: it leads out of the repository",
                "docs/a.md:2: ../README.md#gone: README.md has no #gone",
            ]
        );
    }
}
