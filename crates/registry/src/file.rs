//! Artifacts from files.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use lattice_core::ImageRef;

use crate::{Artifact, FetchConfig, FetchError, Kind, Source, artifact::digest_of, dirs};

/// Reads the file `path`. Blocks.
///
/// # Errors
/// `File`, `FileRefused`, `TooLarge`, `NotAnArtifact`.
pub(crate) fn fetch(path: &Path, config: &FetchConfig) -> Result<Artifact, FetchError> {
    let path = resolve(path, config.base_dir.as_deref(), dirs::home().as_deref());
    if !config.allow_file {
        return Err(FetchError::FileRefused { path });
    }
    let failed = |source| FetchError::File { path: path.clone(), source: Arc::new(source) };
    let about = fs::metadata(&path).map_err(failed)?;
    // Opening a pipe would wait for somebody to write, and a device may never end.
    if !about.is_file() {
        let kind = if about.is_dir() { "it is a folder" } else { "it is no plain file" };
        return Err(failed(io::Error::other(kind)));
    }
    let bytes_max = config.artifact_bytes_max;
    let mut bytes = Vec::new();
    let file = fs::File::open(&path).map_err(failed)?;
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        return Err(FetchError::TooLarge { what: path.display().to_string(), bytes_max });
    }
    let kind = Kind::sniff(&bytes).ok_or_else(|| not_an_artifact(&path.display().to_string(), &bytes))?;
    Ok(Artifact {
        digest: digest_of(&bytes),
        bytes: Bytes::from(bytes),
        manifest_digest: None,
        kind,
        resolved: ImageRef::File(path.clone()),
        source: Source::File(path),
    })
}

/// With the first bytes in readable form, which often tell what it really is.
pub(crate) fn not_an_artifact(what: &str, bytes: &[u8]) -> FetchError {
    let begins = if bytes.is_empty() {
        "nothing, it is empty".to_owned()
    } else {
        format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(16)]))
    };
    FetchError::NotAnArtifact { what: what.to_owned(), begins }
}

/// `~/` is the home folder, and the rest is relative to `base`, else to the current folder.
fn resolve(path: &Path, base: Option<&Path>, home: Option<&Path>) -> PathBuf {
    let expanded = match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    };
    match base {
        Some(base) => base.join(expanded),
        None => std::path::absolute(&expanded).unwrap_or(expanded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_path_leads() {
        let at = |path: &str, base: Option<&str>| {
            resolve(Path::new(path), base.map(Path::new), Some(Path::new("/home/me")))
        };
        assert_eq!(at("a.wasm", Some("/m")), Path::new("/m/a.wasm"));
        assert_eq!(at("/a.wasm", Some("/m")), Path::new("/a.wasm"));
        assert_eq!(at("~/a.wasm", Some("/m")), Path::new("/home/me/a.wasm"));
        assert!(at("a.wasm", None).is_absolute());
    }

    #[test]
    fn files_good_and_bad() {
        let dir = tempfile::tempdir().unwrap();
        let config = FetchConfig {
            base_dir: Some(dir.path().to_owned()),
            artifact_bytes_max: 16,
            ..FetchConfig::default()
        };
        let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        write("a.wasm", b"\0asm\x0d\0\x01\0");
        write("large.wasm", &[0; 17]);
        write("text.wasm", b"(module)");
        write("empty.wasm", b"");
        let good = fetch(Path::new("a.wasm"), &config).unwrap();
        assert_eq!((good.kind, good.bytes.len()), (Kind::Actor, 8));
        assert_eq!(good.resolved, ImageRef::File(dir.path().join("a.wasm")));
        let error = |name: &str| fetch(Path::new(name), &config).unwrap_err();
        assert!(matches!(error("large.wasm"), FetchError::TooLarge { bytes_max: 16, .. }));
        assert!(error("text.wasm").to_string().ends_with(r#"it begins with "(module)""#));
        assert!(error("empty.wasm").to_string().contains("it is empty"));
        assert!(matches!(error("missing.wasm"), FetchError::File { .. }));
        assert!(matches!(error("."), FetchError::File { .. }));
        assert!(matches!(fetch(Path::new("/dev/zero"), &config), Err(FetchError::File { .. })));
        let closed = FetchConfig { allow_file: false, ..config };
        assert!(matches!(fetch(Path::new("a.wasm"), &closed), Err(FetchError::FileRefused { .. })));
    }
}
