//! Dependencies that must not come back, and where dependencies may come from. `deny.toml` says the same to cargo-deny; this
//! needs no tool.

use std::fs;

use crate::metadata::root;

/// One TLS provider, ring; two in one process panic.
const BANNED: [&str; 3] = ["aws-lc-sys", "aws-lc-rs", "openssl-sys"];

#[test]
fn the_lock_files_keep_to_the_rules() {
    for lock in ["Cargo.lock", "examples/actors/Cargo.lock", "fuzz/Cargo.lock", "fuzz/engine/Cargo.lock"] {
        let text = fs::read_to_string(root().join(lock)).unwrap();
        for name in BANNED {
            assert!(!text.contains(&format!("name = \"{name}\"\n")), "{lock} holds {name}");
        }
        for source in text.lines().filter_map(|line| line.strip_prefix("source = ")) {
            assert_eq!(source, "\"registry+https://github.com/rust-lang/crates.io-index\"", "{lock}");
        }
    }
}
