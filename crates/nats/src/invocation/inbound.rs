//! What comes: a reply to a caller, a request to a callee.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use lattice_core::{CallError, ErrorCode, Hop};
use tokio::time::Instant;

use super::{
    entry::{Entry, Shared},
    slot::{Slot, Taken},
};

/// A stream of bytes that comes. Dropping a reply before its end cancels the call; dropping a request before its end
/// only says that nobody reads on.
pub struct Inbound {
    ready: Option<Bytes>,
    rest: Option<Rest>,
    /// Who speaks of errors here.
    hop: Hop,
}

/// What may still come.
struct Rest {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    /// A caller holds its call by this.
    entry: Option<Entry>,
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ready = self.ready.as_ref().map(Bytes::len);
        f.debug_struct("Inbound").field("ready", &ready).field("whole", &self.rest.is_none()).finish()
    }
}

impl Inbound {
    /// All that comes is here.
    pub(crate) fn complete(body: Bytes, hop: Hop) -> Self {
        Self { ready: Some(body).filter(|body| !body.is_empty()), rest: None, hop }
    }

    /// The reply to a call that is held by `entry`.
    pub(crate) fn of_caller(shared: Arc<Shared>, entry: Entry) -> Self {
        let (hop, slot) = (shared.post.hop.clone(), Arc::clone(entry.slot()));
        Self { ready: None, rest: Some(Rest { shared, slot, entry: Some(entry) }), hop }
    }

    /// The request of a call that is being served.
    pub(crate) fn of_callee(shared: Arc<Shared>, slot: Arc<Slot>) -> Self {
        let hop = shared.post.hop.clone();
        Self { ready: None, rest: Some(Rest { shared, slot, entry: None }), hop }
    }

    /// True if nothing but what is here will come.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.rest.is_none()
    }

    /// The next bytes; none at the end. Cancel-safe.
    ///
    /// # Errors
    /// Why the rest does not come; nothing comes after that.
    pub async fn next(&mut self) -> Option<Result<Bytes, CallError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Inbound::next`], for whoever implements a stream or a body.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, CallError>>> {
        if let Some(ready) = self.ready.take() {
            return Poll::Ready(Some(Ok(ready)));
        }
        let Some(rest) = &self.rest else { return Poll::Ready(None) };
        let (taken, note) = rest.slot.poll_take(cx, Instant::now(), |have| rest.shared.budget.widen(have));
        rest.shared.post.note_of(&rest.slot, note);
        let taken = std::task::ready!(taken);
        Poll::Ready(match taken {
            Taken::Bytes(body) => Some(Ok(body)),
            Taken::End => {
                self.rest = None;
                None
            }
            Taken::Failed(failure) => {
                let error = failure.into_error(&self.hop, &rest.slot.about.target);
                self.rest = None;
                Some(Err(error))
            }
        })
    }

    /// All of it, as one.
    ///
    /// # Errors
    /// [`ErrorCode::TooLarge`] when it is more than `bytes_max`; else as [`Inbound::next`].
    ///
    /// # Cancellation
    /// As dropping it.
    pub async fn whole(mut self, bytes_max: usize) -> Result<Bytes, CallError> {
        let Some(first) = self.next().await.transpose()? else { return Ok(Bytes::new()) };
        let mut all = Gathered { first, more: None };
        loop {
            if all.len() > bytes_max {
                return Err(self.too_large(bytes_max));
            }
            match self.next().await.transpose()? {
                Some(more) => all.push(&more),
                None => return Ok(all.finish()),
            }
        }
    }

    fn too_large(&self, bytes_max: usize) -> CallError {
        let reason = format!("more than {bytes_max} bytes came, which is the limit");
        CallError::new(self.hop.clone(), ErrorCode::TooLarge, reason)
    }
}

/// Copies only where there is more than one part.
struct Gathered {
    first: Bytes,
    more: Option<BytesMut>,
}

impl Gathered {
    fn len(&self) -> usize {
        self.more.as_ref().map_or(self.first.len(), BytesMut::len)
    }

    fn push(&mut self, part: &[u8]) {
        let first = &self.first;
        let more = self.more.get_or_insert_with(|| BytesMut::from(first.as_ref()));
        more.extend_from_slice(part);
    }

    fn finish(self) -> Bytes {
        self.more.map_or(self.first, BytesMut::freeze)
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if self.entry.is_none() {
            self.slot.abandon();
        }
    }
}
