//! Free ports, for programs that cannot say which one they took.

use std::net::{Ipv4Addr, TcpListener};

use crate::TestkitError;

/// A port of the loopback address that was free a moment ago. Prefer port 0 where the program tells which one it got: between
/// this answer and the use of it somebody else may take the port.
///
/// # Errors
/// When the system has no port left.
pub fn free_port() -> Result<u16, TestkitError> {
    let address = (Ipv4Addr::LOCALHOST, 0);
    let port =
        TcpListener::bind(address).and_then(|listener| listener.local_addr()).map(|bound| bound.port());
    port.map_err(TestkitError::io("take a free port of", "127.0.0.1"))
}
