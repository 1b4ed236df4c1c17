//! `wash`, the command line of the lattice.
//!
//! It reads arguments, does one thing, says what it did and what to do next, and ends with an exit code that scripts can
//! tell apart ([`exit::Exit`]). It links neither the host nor the runtime: where one is needed it starts `wasmcloud`.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "doc comments of arguments are their help, where [:TAG] means optional"
)]

mod cli;
mod clock;
mod cmd;
mod context;
mod exit;
mod failure;
mod files;
mod images;
mod keystore;
mod lattice;
mod local;
mod manifest;
mod output;
mod own_nats;
mod signals;
mod signed;
mod wit;

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all: rustls panics at the first connection of a process that has not chosen its provider.
    // An error would mean that one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run(std::env::args_os().collect())
}
