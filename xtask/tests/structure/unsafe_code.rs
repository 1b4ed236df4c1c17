//! Unsafe code is in the crate code-cache and nowhere else.

use std::fs;

use crate::metadata::{packages, root};

/// Deserialising compiled code is unsafe by nature.
const EXCEPTION: &str = "lattice-code-cache";

#[test]
fn only_one_crate_may_be_unsafe() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    // `forbid` cannot be allowed again further down.
    assert!(
        workspace.contains("unsafe_code = \"forbid\""),
        "the workspace's lints have to forbid unsafe code"
    );
    for package in packages(&root()) {
        let manifest = fs::read_to_string(package.dir.join("Cargo.toml")).unwrap();
        let inherits = manifest.contains("[lints]\nworkspace = true");
        assert!(inherits || package.name == EXCEPTION, "{} has to take the workspace's lints", package.name);
    }
}
