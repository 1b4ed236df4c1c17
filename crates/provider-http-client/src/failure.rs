//! What went wrong, found in the chain of causes of the libraries' errors.

use std::{error::Error, io};

use hyper_util::client::legacy;
use lattice_contracts::http::{BodyError, OutgoingError};
use lattice_core::{causes, innermost_cause};

use crate::{connect::ConnectTimeout, resolve::Unresolved};

/// The contract's error for one of the client's.
pub(crate) fn outgoing(error: &legacy::Error, authority: &str) -> OutgoingError {
    let authority = || authority.to_owned();
    for cause in causes(error) {
        if let Some(unresolved) = cause.downcast_ref::<Unresolved>() {
            return match unresolved {
                Unresolved::Dns(why) => OutgoingError::Dns { authority: authority(), why: why.clone() },
                Unresolved::Private(why) => {
                    OutgoingError::Denied { authority: authority(), why: why.clone() }
                }
            };
        }
        if let Some(tls) = find::<rustls::Error>(cause) {
            return OutgoingError::Tls { authority: authority(), why: tls.to_string() };
        }
        if cause.is::<ConnectTimeout>() {
            return OutgoingError::Timeout { authority: authority(), phase: "connect" };
        }
        if let Some(body) = cause.downcast_ref::<BodyError>() {
            return OutgoingError::Request { why: body.to_string() };
        }
        if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_user) {
            return OutgoingError::Request { why: innermost_cause(error) };
        }
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => {
                return OutgoingError::Refused { authority: authority() };
            }
            Some(io::ErrorKind::TimedOut) if error.is_connect() => {
                return OutgoingError::Timeout { authority: authority(), phase: "connect" };
            }
            _ => {}
        }
    }
    OutgoingError::Protocol { authority: authority(), why: innermost_cause(error) }
}

/// `io::Error` hides what it wraps from `source`, so it is looked into.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut error = error;
    for _ in 0..8 {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        error = error.downcast_ref::<io::Error>()?.get_ref()?;
    }
    None
}
