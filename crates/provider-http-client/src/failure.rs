//! What went wrong, found in the chain of causes of the libraries' errors.

use std::{error::Error, io};

use hyper_util::client::legacy;
use lattice_contracts::http::{BodyError, OutgoingError};

use crate::{connect::ConnectTimeout, resolve::Unresolved};

/// The contract's error for one of the client's.
pub(crate) fn outgoing(error: &legacy::Error, authority: &str) -> OutgoingError {
    let authority = || authority.to_owned();
    for cause in chain(error) {
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
            return OutgoingError::Request { why: last_words(error) };
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
    OutgoingError::Protocol { authority: authority(), why: last_words(error) }
}

/// An error and its causes. Nothing in the chain makes itself; the bound is against a cause that does.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source()).take(32)
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

/// The innermost cause says what happened; those around it only where.
fn last_words(error: &legacy::Error) -> String {
    chain(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}
