//! The HTTP client, as a process of its own.

use std::process::ExitCode;

use lattice_provider_http_client::HttpClient;

fn main() -> ExitCode {
    lattice_provider_sdk::run(HttpClient::new)
}
