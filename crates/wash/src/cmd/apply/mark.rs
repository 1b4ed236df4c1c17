//! What an actor or provider was started as: kept with it as annotations, so that applying again can tell what changed.
//! Inventories show images and sizes, but neither configurations nor reuse.

use lattice_control_interface::Annotations;
use lattice_core::EntityId;
use lattice_manifest::{Actor, Provider};

/// The app it belongs to.
const APP: &str = "lattice.app";
/// A number made of what it was started with.
const SPEC: &str = "lattice.spec";

/// The mark of one actor or provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    app: String,
    spec: String,
}

impl Mark {
    pub(super) fn of_actor(app: &EntityId, actor: &Actor) -> Mark {
        let text = format!("{:?} {} {} {:?}", actor.config, actor.concurrency, actor.reuse, actor.limits);
        Mark { app: app.to_string(), spec: number(&text) }
    }

    pub(super) fn of_provider(app: &EntityId, provider: &Provider) -> Mark {
        Mark { app: app.to_string(), spec: number(&format!("{:?}", provider.config)) }
    }

    pub(super) fn annotations(&self) -> Annotations {
        Annotations::from([(APP.to_owned(), self.app.clone()), (SPEC.to_owned(), self.spec.clone())])
    }

    /// Whether what runs with `annotations` was started as this. What somebody started by hand fits if it is `plain`.
    pub(super) fn fits(&self, annotations: &Annotations, plain: bool) -> bool {
        annotations.get(SPEC).map_or(plain, |spec| *spec == self.spec)
    }
}

/// FNV-1a: the same on every machine, which is all that is asked of it.
fn number(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_started_otherwise_does_not_fit() {
        let plan = |config: &str| {
            let text = format!(
                "app: a\nproviders:\n  - {{name: http, image: 'builtin://http-server', config: [{config}]}}\n"
            );
            lattice_manifest::parse(&text, "a.yaml", "/srv".as_ref(), &|_| None).unwrap()
        };
        let mark = |config: &str| {
            let manifest = plan(config);
            Mark::of_provider(manifest.app(), &manifest.plan().providers[0])
        };
        assert!(mark("x").fits(&mark("x").annotations(), false));
        assert!(!mark("x").fits(&mark("y").annotations(), false));
        assert!(mark("").fits(&Annotations::new(), true));
        assert!(!mark("x").fits(&Annotations::new(), false));
    }
}
