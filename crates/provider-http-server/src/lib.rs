//! provider-http-server
