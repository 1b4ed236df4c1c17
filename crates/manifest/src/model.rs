//! What a manifest says, with every name checked and every path absolute.

use std::{collections::BTreeMap, time::Duration};

use lattice_core::{ActorId, ConfigName, EntityId, ImageRef, Labels, Link, ProviderId, SecretName};

use crate::Note;

/// A manifest that holds together. Made by [`parse`](crate::parse).
#[derive(Debug, Clone)]
pub struct Manifest {
    pub(crate) app: EntityId,
    pub(crate) labels: Labels,
    pub(crate) plan: Plan,
    pub(crate) notes: Vec<Note>,
}

impl Manifest {
    /// The app's name.
    #[must_use]
    pub fn app(&self) -> &EntityId {
        &self.app
    }

    /// Labels for the host that is started with this manifest, besides its own.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The desired state: configurations, providers, actors and links, in the order in which they are best made.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is not wrong but worth showing, in the order of the text.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

/// The desired state. Make it in the order of the fields: a link's configurations must exist before it, and ends that
/// come before their links spare the lattice a round of `pending`. Any other order ends the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Named configurations, those written in place included (`{app}/{actor}`, …). Names are distinct.
    pub configs: Vec<NamedConfig>,
    /// Providers, in the order of the text.
    pub providers: Vec<Provider>,
    /// Actors, in the order of the text.
    pub actors: Vec<Actor>,
    /// Links in today's contracts, directions and keys. Keys are distinct and no two conflict.
    pub links: Vec<Link>,
}

/// A named configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedConfig {
    /// Its name.
    pub name: ConfigName,
    /// Its values.
    pub values: BTreeMap<String, String>,
}

/// An actor to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Its id.
    pub id: ActorId,
    /// Where its bytes come from; file paths are absolute.
    pub image: ImageRef,
    /// On how many hosts it should run, at least 1. One host runs one replica.
    pub replicas: u32,
    /// How many invocations one replica serves at once, at least 1.
    pub concurrency: u32,
    /// How many more may wait for their turn; `None` leaves it to the host.
    pub queue: Option<u32>,
    /// How many invocations one instance serves before it is dropped; 1 is a fresh instance for each.
    pub reuse: u32,
    /// Limits of one instance, where they differ from the host's.
    pub limits: Limits,
    /// Configurations that it reads through `wasi:config`, merged left to right.
    pub config: Vec<ConfigName>,
    /// Secrets that it may read through `wasmcloud:secrets`. A manifest only names them.
    pub secrets: Vec<SecretName>,
}

/// Limits of one instance; `None` leaves the host's default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Processor time of one invocation.
    pub cpu: Option<Duration>,
    /// Time of one invocation by the clock, waiting included.
    pub wall: Option<Duration>,
}

/// A provider to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// Where its bytes come from, or which built-in one it is; file paths are absolute.
    pub image: ImageRef,
    /// Configurations given to it at start, merged left to right.
    pub config: Vec<ConfigName>,
}
