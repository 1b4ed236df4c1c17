//! Where a provider of this host tells how it and its links are, and what it refused.

use std::sync::Arc;

use lattice_contracts::{Refused, Report};
use lattice_core::{LinkKey, ProviderId, State};

use super::Providers;
use crate::calls::RefusedCalls;

pub(super) struct TableReport {
    pub(super) id: ProviderId,
    pub(super) table: Providers,
    pub(super) refused: Arc<RefusedCalls>,
}

impl Report for TableReport {
    fn provider(&self, state: State) {
        self.table.set_state(&self.id, state);
    }

    fn link(&self, link: &LinkKey, state: State) {
        self.table.set_link(&self.id, link, Some(state));
    }

    fn refused(&self, refused: Refused) {
        self.refused.note_of(&self.id, refused);
    }
}
