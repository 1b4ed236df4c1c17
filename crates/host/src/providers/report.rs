//! Where a provider in this process tells how it and its links are: straight into the table.

use lattice_contracts::Report;
use lattice_core::{LinkKey, ProviderId, State};

use super::Providers;

pub(super) struct TableReport {
    pub(super) id: ProviderId,
    pub(super) table: Providers,
}

impl Report for TableReport {
    fn provider(&self, state: State) {
        self.table.set_state(&self.id, state);
    }

    fn link(&self, link: &LinkKey, state: State) {
        self.table.set_link(&self.id, link, Some(state));
    }
}
