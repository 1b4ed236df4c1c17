//! `label.put`, `label.del`.

use lattice_control_interface::{HostLabel, events::LabelsChanged};
use lattice_core::LabelError;

use super::{
    Ctl,
    reply::{Outcome, read, said},
};

impl Ctl {
    pub(super) fn label_put(&self, body: &[u8]) -> Outcome {
        let label: HostLabel = read("label put", body)?;
        self.about.set_label(&label.key, &label.value).map_err(refusal)?;
        self.tell_labels();
        said("successfully put label")
    }

    pub(super) fn label_del(&self, body: &[u8]) -> Outcome {
        let label: HostLabel = read("label delete", body)?;
        if !self.about.remove_label(&label.key).map_err(refusal)? {
            return said("successfully deleted label (no such label)");
        }
        self.tell_labels();
        said("successfully deleted label")
    }

    fn tell_labels(&self) {
        self.lattice.changed().tell();
        let (host_id, labels) = (self.about.id.clone(), self.about.labels());
        self.events.publish(&LabelsChanged { host_id, labels });
    }
}

/// v1's words where v1 has some.
fn refusal(error: LabelError) -> String {
    match error {
        LabelError::Reserved { .. } => "hostcore.* labels cannot be set dynamically".to_owned(),
        other => other.to_string(),
    }
}
