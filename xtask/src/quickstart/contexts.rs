//! What `wash` means where nobody says which lattice: the quickstart's while it runs, and afterwards what it was before.

use std::process::Command;

use anyhow::{Context, ensure};
use lattice_testkit::binary;
use serde_json::Value;

/// The contexts at one moment.
pub(super) struct Contexts {
    names: Vec<String>,
    current: Option<String>,
}

impl Contexts {
    /// Those of now.
    pub(super) fn now() -> anyhow::Result<Self> {
        Self::read(&serde_json::from_slice(&wash(&["list", "-o", "json"])?).context("wash ctx list")?)
    }

    fn read(listed: &Value) -> anyhow::Result<Self> {
        let contexts = listed["contexts"].as_array().context("wash ctx list names no contexts")?;
        let names = contexts.iter().filter_map(|context| context["name"].as_str());
        let current = listed["current"].as_str().map(str::to_owned);
        Ok(Self { names: names.map(str::to_owned).collect(), current })
    }

    /// Makes it as it was: contexts that came meanwhile are for servers that are gone.
    pub(super) fn restore(self) -> anyhow::Result<()> {
        if let Some(current) = &self.current {
            wash(&["use", current])?;
        }
        let now = Self::now()?;
        for name in now.names.iter().filter(|name| !self.names.contains(name)) {
            wash(&["del", name])?;
        }
        Ok(())
    }
}

fn wash(words: &[&str]) -> anyhow::Result<Vec<u8>> {
    let output =
        Command::new(binary("wash")?).arg("ctx").args(words).output().context("cannot start wash")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "wash ctx {} failed: {}", words.join(" "), said.trim());
    Ok(output.stdout)
}
