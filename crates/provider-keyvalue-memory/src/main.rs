//! The key-value store in memory, as a process of its own.

use std::process::ExitCode;

use lattice_provider_keyvalue_memory::KeyvalueMemory;

fn main() -> ExitCode {
    lattice_provider_sdk::run(KeyvalueMemory::new)
}
