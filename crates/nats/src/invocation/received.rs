//! A call that has come.

use std::{sync::Arc, time::Duration};

use async_nats::Subject;
use bytes::Bytes;
use lattice_contracts::CallContext;
use lattice_core::{CallError, CallTo, ErrorCode, HostId, call_subject};

use super::{
    Inbound, Outbound,
    entry::Shared,
    header::{Header, Kind},
    post::{message, traced},
    slot::Slot,
};
use crate::Version;

/// A call that has come, to be served.
pub struct Received {
    /// Who calls whom, under which link, until when.
    pub call: CallContext,
    /// The interface with its package; empty for a function at a component's root.
    pub interface: Arc<str>,
    /// The function.
    pub function: Arc<str>,
    /// The version of the link as the caller knows it. Whoever serves waits until he knows that one, then checks.
    pub link_version: Option<Version>,
    /// The broker picked this process for it.
    pub by_group: bool,
    /// Another host passed it on.
    pub handed_on: bool,
    /// The caller rather asks others than lets the call wait here.
    pub at_once: bool,
    /// How long it may wait for its turn here, before it is refused; none for as long as it lasts.
    pub wait: Option<Duration>,
    /// The request is text for people (WAVE), and the reply shall be.
    pub text: bool,
    /// The request.
    pub body: Inbound,
    pub(crate) origin: Origin,
}

/// Where a call came from, to pass it on.
pub(crate) struct Origin {
    pub(crate) shared: Arc<Shared>,
    pub(crate) slot: Arc<Slot>,
    /// The reply subject.
    pub(crate) reply: Subject,
    pub(crate) first: Bytes,
    pub(crate) fin: bool,
    /// Up to where the reply may go at first.
    pub(crate) credit: u64,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Received")
            .field("call", &self.call)
            .field("interface", &self.interface)
            .field("function", &self.function)
            .field("link_version", &self.link_version)
            .field("by_group", &self.by_group)
            .field("handed_on", &self.handed_on)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

impl Received {
    /// Passes the call to another host, which answers the caller itself. Return what this returns; it is not sent.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`], not run, for a call that one host was asked for, that was passed on before, or whose
    /// caller has heard from here already; [`ErrorCode::Unreachable`] when it cannot be sent.
    pub async fn hand_on(self, to: &HostId) -> Result<Outbound, CallError> {
        let Origin { shared, slot, .. } = &self.origin;
        let hop = shared.post.hop.clone();
        let movable = self.by_group && !self.handed_on && slot.hand_on();
        if !movable {
            let reason = format!("{} is busy here, and the call cannot be passed on", self.call.target);
            return Err(CallError::new(hop, ErrorCode::Overloaded, reason).not_run());
        }
        let published = shared.post.publish(self.for_host(to)).await;
        slot.handed_on(published.is_ok());
        match published {
            Ok(()) => Ok(Outbound::Whole(Bytes::new())),
            Err(failure) => Err(CallError { not_run: true, ..failure.into_error(&hop, &self.call.target) }),
        }
    }

    fn for_host(&self, to: &HostId) -> async_nats::message::OutboundMessage {
        let Origin { shared, reply, first, fin, credit, .. } = &self.origin;
        let CallContext { id, source, target, link, depth, trace, .. } = &self.call;
        let to = CallTo::Host(to.clone());
        let subject =
            call_subject(&shared.post.lattice, source, &to, target, &self.interface, &self.function);
        let writer = self.link_version.as_ref().map(|version| lattice_core::escape_token(&version.writer));
        let number = self.link_version.as_ref().map(|version| version.number);
        let header = Header {
            fin: *fin,
            credit: Some(*credit),
            time_left_ms: Some(super::opening::ms_left(&self.call)),
            depth: *depth,
            link: Some(link.as_str()),
            link_version: number.zip(writer.as_deref()),
            handed_on: true,
            text: self.text,
            ..Header::new(Kind::Call, *id)
        };
        traced(message(Subject::from(subject), Some(reply.clone()), &header, first.clone()), *trace)
    }
}
