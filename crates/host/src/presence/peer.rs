//! What one host knows of another.

use lattice_core::Beat;

/// Milliseconds on a clock of the machine's own that only goes forward.
pub(super) type At = u64;

/// How another host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Known by its fact alone: nobody has heard it since this host began to listen.
    Unheard,
    /// Heard.
    Alive,
    /// Silent, and it did not answer when it was asked.
    Lost,
    /// It stopped in order.
    Gone,
}

/// A question that is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) number: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) standing: Standing,
    /// The newest beat that is known of it, heard or told by others.
    pub(super) last: Option<Beat>,
    /// Since when its silence counts: its last beat, or the moment from which one could have been heard.
    pub(super) silent_from: At,
    pub(super) asked: Option<Question>,
    /// It had a fact at some time.
    pub(super) was_known: bool,
    /// This host told the others that it is lost, so it tells them when it is back.
    pub(super) told_lost: bool,
}

impl Peer {
    pub(super) fn new(standing: Standing, at: At) -> Self {
        Self { standing, last: None, silent_from: at, asked: None, was_known: false, told_lost: false }
    }

    /// True if the host has a place on the ring: it is taken to live until it is known to be lost or gone.
    pub(super) fn is_on_ring(&self) -> bool {
        matches!(self.standing, Standing::Unheard | Standing::Alive)
    }

    /// True if the beat says nothing new: a repeated one, or one that was overtaken.
    pub(super) fn has_heard(&self, beat: &Beat) -> bool {
        self.last.is_some_and(|last| !beat.is_after(&last))
    }

    /// Takes up what others heard last, where that is newer.
    pub(super) fn learn(&mut self, beat: Beat) {
        if !self.has_heard(&beat) {
            self.last = Some(beat);
        }
    }
}
