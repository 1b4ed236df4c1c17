//! Arrows between crates point down.

use crate::metadata::{Package, packages, root};

/// The crates by layer, lowest first. A crate may use every lower layer, and in its own only what [`SIDEWAYS`] lists.
const LAYERS: [&[&str]; 6] = [
    &["core", "claims", "manifest"],
    &["contracts", "code-cache", "registry", "nats", "runtime", "control-interface"],
    &["provider-sdk", "provider-*"],
    &["host", "functions"],
    &["wash"],
    &["testkit", "tests", "xtask", "bench", "attack"],
];

/// Arrows inside a layer.
const SIDEWAYS: [(&str, &str); 13] = [
    ("claims", "core"),
    ("manifest", "core"),
    ("nats", "contracts"),
    ("runtime", "contracts"),
    ("runtime", "code-cache"),
    ("control-interface", "nats"),
    ("provider-http-client", "provider-sdk"),
    ("provider-http-server", "provider-sdk"),
    ("provider-keyvalue-memory", "provider-sdk"),
    ("provider-keyvalue-nats", "provider-sdk"),
    ("xtask", "testkit"),
    ("tests", "testkit"),
    ("attack", "testkit"),
];

/// Arrows that point down and are not wanted all the same, with the reason.
const NEVER: [(&str, &str, &str); 6] = [
    ("wash", "host", "wash starts a host as a child and never contains one"),
    ("wash", "runtime", "wash runs no actors"),
    ("wash", "provider-*", "wash is no provider"),
    ("runtime", "nats", "what a guest asks for leaves through Dispatch"),
    ("provider-sdk", "host", "a provider author needs no host"),
    ("xtask", "wash", "a newcomer waits for xtask, so it stays light"),
];

/// The only crates with async-nats in them.
const WITH_ASYNC_NATS: [&str; 5] = ["bench", "nats", "provider-keyvalue-nats", "testkit", "tests"];

#[test]
fn arrows_point_down() {
    let packages = packages(&root());
    let names: Vec<&str> = packages.iter().map(short).collect();
    let mut wrong = Vec::new();
    for package in &packages {
        let from = short(package);
        for dependency in &package.dependencies {
            let to = dependency.name.strip_prefix("lattice-").unwrap_or(&dependency.name);
            if names.contains(&to)
                && let Err(reason) = judge(from, to, dependency.is_dev)
            {
                wrong.push(format!("{from} -> {to}: {reason}"));
            }
            if dependency.name == "async-nats" && !dependency.is_dev && !WITH_ASYNC_NATS.contains(&from) {
                wrong.push(format!("{from} -> async-nats: the NATS side is the crate nats"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn arrows_up_and_sideways_are_seen() {
    for (from, to) in [
        ("core", "nats"),
        ("registry", "nats"),
        ("host", "wash"),
        ("provider-a", "provider-b"),
        ("new", "core"),
    ] {
        assert!(judge(from, to, false).is_err(), "{from} -> {to}");
    }
    for (from, to) in
        [("host", "core"), ("runtime", "contracts"), ("provider-keyvalue-nats", "nats"), ("tests", "wash")]
    {
        assert!(judge(from, to, false).is_ok(), "{from} -> {to}");
    }
    assert!(judge("registry", "testkit", true).is_ok());
    assert!(judge("registry", "testkit", false).is_err());
}

fn judge(from: &str, to: &str, is_dev: bool) -> Result<(), String> {
    if let Some((.., reason)) = NEVER.iter().find(|(a, b, _)| fits(a, from) && fits(b, to)) {
        return Err((*reason).to_owned());
    }
    // Tests of any crate may stand on the testkit.
    if is_dev && to == "testkit" {
        return Ok(());
    }
    let (above, below) = (layer(from)?, layer(to)?);
    match above > below || SIDEWAYS.contains(&(from, to)) {
        true => Ok(()),
        false => Err(format!("layer {above} may not use layer {below}")),
    }
}

fn layer(name: &str) -> Result<usize, String> {
    let found = LAYERS.iter().position(|layer| layer.iter().any(|pattern| fits(pattern, name)));
    found.ok_or_else(|| format!("{name} is in no layer; put it into the table in {}", file!()))
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

fn short(package: &Package) -> &str {
    package.name.strip_prefix("lattice-").unwrap_or(&package.name)
}
