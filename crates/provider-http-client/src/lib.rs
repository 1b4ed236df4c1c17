//! provider-http-client
