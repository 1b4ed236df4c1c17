//! Where things are in this repository.

use std::path::{Path, PathBuf};

use crate::TestkitError;

/// The folder of the workspace.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies two folders below the workspace").to_owned()
}

/// Where cargo builds the workspace: `CARGO_TARGET_DIR`, else `target` in the workspace.
#[must_use]
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => workspace_root().join(dir),
        None => workspace_root().join("target"),
    }
}

/// Where cargo builds the example actors, which are a workspace of their own: always beside them, since documents and
/// tests name the files there.
#[must_use]
pub fn actors_target_dir() -> PathBuf {
    workspace_root().join("examples/actors/target")
}

/// The unsigned wasm file of an example actor, as it was built last.
///
/// # Errors
/// `Missing` when it has not been built.
pub fn actor_file(name: &str) -> Result<PathBuf, TestkitError> {
    let file = format!("wasm32-wasip2/release/{}.wasm", name.replace('-', "_"));
    let remedy = "Build the actors: cd examples/actors && cargo build --release";
    existing(actors_target_dir().join(file), &format!("the example actor {name}"), remedy)
}

/// One of the project's binaries, as it was built last in the profile of the running test.
///
/// # Errors
/// `Missing` when it has not been built.
pub fn binary(name: &str) -> Result<PathBuf, TestkitError> {
    // Tests run from `<target>/<profile>/deps`, xtask from `<target>/<profile>`.
    let own = std::env::current_exe().map_err(TestkitError::io("find", "the running program"))?;
    let dir = own.ancestors().skip(1).find(|dir| !dir.ends_with("deps")).unwrap_or(Path::new("."));
    existing(dir.join(name), name, "Build it: cargo build --workspace --bins")
}

fn existing(path: PathBuf, part: &str, remedy: &str) -> Result<PathBuf, TestkitError> {
    if path.is_file() {
        return Ok(path);
    }
    let reason = format!("there is no file {}", path.display());
    Err(TestkitError::Missing { part: part.to_owned(), reason, remedy: remedy.to_owned() })
}
