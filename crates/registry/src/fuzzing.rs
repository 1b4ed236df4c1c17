//! What the programs in `fuzz/` feed with bytes of strangers: each function reads them as a fetch does, and panics where a
//! rule is broken. Built for fuzzing and for tests, which run the corpus through; no part of the API.

use lattice_core::{ImageRef, OciRef};

use crate::{
    Kind,
    artifact::is_digest,
    authority::{is_loopback, same_registry, scheme, server_and_repository},
    credentials::{DockerConfig, answered},
    manifest::{self, Read},
    session::reason,
    token::{Challenge, token_in},
};

/// What a registry sends, or a credential helper says: a byte that tells which, and the bytes.
///
/// # Panics
/// If a digest was accepted that is none, or a registry's words reach a terminal as they are.
pub fn registry(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    let _ = Kind::sniff(rest);
    match which {
        b'h' => drop(answered(rest).map_err(|why| assert!(!why.contains(char::is_control), "{why}"))),
        b't' => drop(token_in(rest)),
        which => of_registry(which % 4, rest),
    }
}

fn of_registry(which: u8, rest: &[u8]) {
    match which {
        0 => match manifest::read("registry.example/a:1", rest) {
            Ok(Read::Layer(layer)) => assert!(is_digest(&layer.digest), "{:?}", layer.digest),
            Ok(Read::Manifest(digest)) => assert!(is_digest(&digest), "{digest:?}"),
            Err(error) => drop(error.to_string()),
        },
        1 => {
            let said = reason(rest);
            assert!(said.chars().count() <= 200 && !said.contains(char::is_control));
        }
        2 => challenge(rest),
        _ => docker_config(rest),
    }
}

/// Headers of an answer, a line each.
fn challenge(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Challenge::choose(text.lines());
}

/// A registry's name in the first line, then docker's configuration.
fn docker_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (name, json) = text.split_once('\n').unwrap_or((text, "{}"));
    let is_clear = scheme(name, &[]) == "http";
    assert_eq!(is_clear, is_loopback(name), "in the clear to this machine alone");
    assert!(same_registry(name, name));
    if let Ok(docker) = serde_json::from_str::<DockerConfig>(json) {
        let _ = docker.find(name);
    }
    if let Ok(ImageRef::Oci(image)) = name.parse::<ImageRef>() {
        addressed(&image);
    }
}

fn addressed(image: &OciRef) {
    let (server, repository) = server_and_repository(image);
    assert!(!server.contains('/') && repository.ends_with(&image.repository));
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// What the fuzzer once found, or starts from.
    #[test]
    fn the_corpus_passes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/registry");
        let inputs = fs::read_dir(&folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        let count = inputs.inspect(|input| super::registry(input)).count();
        assert!(count > 0, "{} is empty", folder.display());
    }
}
