//! What the file itself knows of its parts: which names are actors, which are providers, and what a provider can do.

use std::collections::BTreeMap;

use lattice_core::{Builtin, Contract, Direction, EntityId, ImageRef};

/// The names declared in the file.
#[derive(Default)]
pub(crate) struct Known {
    declared: BTreeMap<EntityId, u32>,
    providers: BTreeMap<EntityId, Option<Builtin>>,
}

impl Known {
    /// Takes note of a name and its line.
    ///
    /// # Errors
    /// The line where the name was declared before.
    pub(crate) fn declare(&mut self, id: &EntityId, line: u32) -> Result<(), u32> {
        match self.declared.get(id) {
            Some(first) => Err(*first),
            None => {
                self.declared.insert(id.clone(), line);
                Ok(())
            }
        }
    }

    /// Takes note that a declared name is a provider's; its image is missing where it could not be read.
    pub(crate) fn provider(&mut self, id: &EntityId, image: Option<&ImageRef>) {
        let builtin = if let Some(ImageRef::Builtin(builtin)) = image { Some(*builtin) } else { None };
        self.providers.insert(id.clone(), builtin);
    }

    pub(crate) fn is_declared(&self, id: &EntityId) -> bool {
        self.declared.contains_key(id)
    }

    pub(crate) fn is_provider(&self, id: &EntityId) -> bool {
        self.providers.contains_key(id)
    }

    pub(crate) fn is_actor(&self, id: &EntityId) -> bool {
        self.is_declared(id) && !self.is_provider(id)
    }

    pub(crate) fn builtin(&self, id: &EntityId) -> Option<Builtin> {
        self.providers.get(id).copied().flatten()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.declared.keys().map(EntityId::as_str)
    }
}

/// The contract a built-in provider serves, and which way its links run. `None` for one that this crate does not know.
pub(crate) fn serves(builtin: Builtin) -> Option<(Contract, Direction)> {
    match builtin {
        Builtin::HttpServer => Some((Contract::http(), Direction::ToActor)),
        Builtin::HttpClient => Some((Contract::http(), Direction::ToProvider)),
        Builtin::KeyvalueNats => Some((Contract::keyvalue(), Direction::ToProvider)),
        _ => None,
    }
}

/// A name of at most 128 bytes: longer ones are cut and end in a number made of the whole.
pub(crate) fn bounded(name: &str) -> String {
    if name.len() <= 128 {
        return name.to_owned();
    }
    // FNV-1a: the same on every machine and in every version, which is all that is asked of it.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{}-{hash:016x}", &name[..name.floor_char_boundary(111)])
}
