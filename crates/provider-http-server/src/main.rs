//! The HTTP server, as a process of its own.

use std::process::ExitCode;

use lattice_provider_http_server::HttpServer;

fn main() -> ExitCode {
    lattice_provider_sdk::run(HttpServer::new)
}
