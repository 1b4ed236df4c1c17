//! Every source file is reached from a crate root: a file that no `mod` names is compiled by nobody and rots.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, Item, Lit, Meta};

use crate::metadata::{packages, root};

#[test]
fn every_source_file_is_reached() {
    let mut lost = Vec::new();
    for workspace in ["", "examples/actors", "fuzz", "fuzz/engine"] {
        for package in packages(&root().join(workspace)) {
            let mut reached = BTreeSet::new();
            for target in &package.roots {
                let children = target.parent().unwrap().to_owned();
                walk(target, &children, &mut reached);
            }
            lost.extend(sources(&package.dir).difference(&reached).cloned());
        }
    }
    assert!(lost.is_empty(), "no crate root reaches {lost:#?}");
}

#[test]
fn a_lost_file_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = dir.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        file
    };
    let lib = write("lib.rs", "mod a; mod inline { mod deep; } #[path = \"odd.rs\"] mod b; /* mod lost; */");
    write("a.rs", "mod below; const S: &str = \"mod lost;\";");
    write("a/below.rs", "");
    write("inline/deep.rs", "");
    write("odd.rs", "");
    let lost = write("lost.rs", "");
    let mut reached = BTreeSet::new();
    walk(&lib, dir.path(), &mut reached);
    let difference: Vec<_> = sources(dir.path()).difference(&reached).cloned().collect();
    assert_eq!(difference, [lost]);
}

/// Follows the `mod` declarations of `file`, whose child modules live in the folder `children`.
fn walk(file: &Path, children: &Path, reached: &mut BTreeSet<PathBuf>) {
    if !reached.insert(file.to_owned()) {
        return;
    }
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    walk_items(&parsed.items, file, children, reached);
}

fn walk_items(items: &[Item], file: &Path, children: &Path, reached: &mut BTreeSet<PathBuf>) {
    for item in items {
        let Item::Mod(module) = item else { continue };
        let name = module.ident.to_string();
        let name = name.trim_start_matches("r#");
        match (&module.content, path_attribute(&module.attrs)) {
            (Some((_, inner)), _) => walk_items(inner, file, &children.join(name), reached),
            (None, Some(path)) => {
                let target = file.parent().unwrap().join(path);
                let below = target.parent().unwrap().to_owned();
                walk(&target, &below, reached);
            }
            (None, None) => {
                let flat = children.join(format!("{name}.rs"));
                let folder = children.join(name);
                let target = if flat.is_file() { flat } else { folder.join("mod.rs") };
                walk(&target, &folder, reached);
            }
        }
    }
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(path) => Some(path.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}

/// The Rust files below `dir`, without what cargo builds and without packages of their own.
fn sources(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let is_ours = !path.ends_with("target") && !path.join("Cargo.toml").is_file();
            if path.is_dir() && is_ours {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.insert(path);
            }
        }
    }
    found
}
