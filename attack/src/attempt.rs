//! What an attempt is, and what may become of one.

use std::fmt;

use futures::future::LocalBoxFuture;

use crate::scene::Scene;

/// Where an attacker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Reaches the port of the NATS server, and has nothing.
    Stranger,
    /// Broke out of a provider, or is one: has its credentials.
    Provider,
    /// Has the credentials of somebody who may look.
    Viewer,
    /// Stole the credentials that an operator has for NATS, without the key that signs commands.
    Thief,
    /// Signs with a user key that has no role, or too small a one.
    Person,
    /// Stole the credentials that a host has for NATS.
    Host,
    /// Hears what is sent, and sends it again.
    Listener,
    /// Wrote an actor's image.
    Image,
    /// Runs the registry, or can write to its disk.
    Registry,
    /// Packed a provider archive.
    Archive,
    /// Can write to the folder of compiled code.
    Disk,
    /// Runs as an actor in the sandbox.
    Actor,
    /// Sends HTTP to an actor.
    Visitor,
    /// Wrote a manifest that somebody else applies.
    Manifest,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Place::Stranger => "stranger",
            Place::Provider => "provider",
            Place::Viewer => "viewer",
            Place::Thief => "password",
            Place::Person => "person",
            Place::Host => "host",
            Place::Listener => "listener",
            Place::Image => "image",
            Place::Registry => "registry",
            Place::Archive => "archive",
            Place::Disk => "disk",
            Place::Actor => "actor",
            Place::Visitor => "visitor",
            Place::Manifest => "manifest",
        })
    }
}

/// Who refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The NATS server.
    Broker,
    /// A host.
    Host,
    /// The sandbox around an actor.
    Runtime,
    /// What fetches images from registries.
    Fetch,
    /// The cache of compiled code.
    CodeCache,
    /// The provider that listens for HTTP.
    HttpServer,
    /// The provider that sends HTTP.
    HttpClient,
    /// `wash`.
    Wash,
    /// The box around a secret, which opens with the right key alone.
    Seal,
    /// The provider's process that is called.
    Process,
    /// The system's kernel.
    Kernel,
    /// Nobody listens there.
    Nobody,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            By::Broker => "broker",
            By::Host => "host",
            By::Runtime => "runtime",
            By::Fetch => "fetch",
            By::CodeCache => "code cache",
            By::HttpServer => "http-server",
            By::HttpClient => "http-client",
            By::Wash => "wash",
            By::Seal => "seal",
            By::Process => "provider",
            By::Kernel => "kernel",
            By::Nobody => "nobody is there",
        })
    }
}

/// What became of an attempt. What is neither is an error: an attempt that proves nothing is not counted.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was refused, and nothing came of it.
    Refused {
        /// By whom.
        by: By,
        /// Where an operator sees it, in a few words.
        seen: &'static str,
        /// What stands there, or what was answered.
        evidence: String,
    },
    /// It did what it was meant to.
    Succeeded {
        /// What the attacker has got.
        what: String,
    },
}

impl Outcome {
    pub(crate) fn refused(by: By, seen: &'static str, evidence: impl Into<String>) -> Self {
        Self::Refused { by, seen, evidence: evidence.into() }
    }

    pub(crate) fn succeeded(what: impl Into<String>) -> Self {
        Self::Succeeded { what: what.into() }
    }
}

/// What an attempt does.
pub(crate) type Run = for<'a> fn(&'a mut Scene) -> LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// What is documented of an attempt against a lattice without credentials. A closed one refuses every attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// Refused there, too.
    Refused,
    /// It succeeds there.
    Succeeds,
}

/// One attempt.
pub(crate) struct Attempt {
    /// Its number, from 1, in the order in which they are made.
    pub(crate) number: u16,
    /// From where.
    pub(crate) place: Place,
    /// What is tried, in a few words.
    pub(crate) tried: &'static str,
    /// What an open lattice makes of it.
    pub(crate) open: Open,
    /// The attempt itself.
    pub(crate) run: Run,
}

/// An attempt that was made.
pub(crate) struct Line<'a> {
    pub(crate) attempt: &'a Attempt,
    pub(crate) outcome: anyhow::Result<Outcome>,
}

impl Line<'_> {
    /// Whether it ended as the documents say.
    pub(crate) fn is_as_documented(&self, open: bool) -> bool {
        match &self.outcome {
            Ok(Outcome::Refused { .. }) => !open || self.attempt.open == Open::Refused,
            Ok(Outcome::Succeeded { .. }) => open && self.attempt.open == Open::Succeeds,
            Err(_) => false,
        }
    }
}
