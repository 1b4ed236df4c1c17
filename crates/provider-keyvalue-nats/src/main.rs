//! Key-value on NATS JetStream, as a process of its own.

use std::process::ExitCode;

use lattice_provider_keyvalue_nats::in_process;

fn main() -> ExitCode {
    lattice_provider_sdk::run_joined(in_process)
}
