//! `config.put`, `config.get`, `config.del`, and `claims.get`.

use lattice_control_interface::{
    ClaimsMap, ConfigMap,
    events::{ConfigDeleted, ConfigSet},
};
use lattice_core::ConfigName;

use super::{
    Ctl,
    reply::{Answer, Outcome, said},
};

impl Ctl {
    pub(super) async fn config_put(&self, name: &ConfigName, body: &[u8]) -> Outcome {
        let values: ConfigMap = serde_json::from_slice(body)
            .map_err(|error| format!("config data should be a map of string -> string: {error}"))?;
        self.lattice.put_config(name, &values).await.map_err(|error| error.to_string())?;
        self.events.publish(&ConfigSet { config_name: name.clone() });
        said("successfully put config")
    }

    pub(super) async fn config_get(&self, name: &ConfigName) -> Outcome<ConfigMap> {
        self.lattice.wait_current().await;
        Ok(match self.lattice.view().configs.get(name) {
            Some(values) => Answer::Data(values.clone()),
            None => Answer::Said("Configuration not found".to_owned()),
        })
    }

    pub(super) async fn config_del(&self, name: &ConfigName) -> Outcome {
        self.lattice.delete_config(name).await.map_err(|error| error.to_string())?;
        self.events.publish(&ConfigDeleted { config_name: name.clone() });
        said("successfully deleted config")
    }

    pub(super) async fn claims_get(&self) -> Outcome<Vec<ClaimsMap>> {
        self.lattice.wait_current().await;
        Ok(Answer::Data(self.lattice.view().claims.values().cloned().collect()))
    }
}
