//! The profile of development: our own crates unoptimised, which are built again and again, everything else once and optimised a little.

use std::fs;

use crate::metadata::{packages, root};

#[test]
fn every_crate_of_ours_is_named_in_the_profile() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for package in packages(&root()) {
        let line = format!("{} = {{ opt-level = 0 }}", package.name);
        assert!(
            workspace.lines().any(|found| found == line),
            "{line:?} is missing in [profile.dev.package] of Cargo.toml"
        );
    }
}
