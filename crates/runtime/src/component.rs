//! A component's outside: what it imports and exports, read from its bytes before anything is compiled.

use std::{fmt, str::FromStr};

use lattice_core::{Contract, Direction, known};
use wasmparser::{Encoding, Parser, Payload};

use crate::{engine::EngineKind, error::PrepareError, imports};

/// An interface with its package and version, as `wasi:http/incoming-handler@0.2.6`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interface {
    /// Namespace, as `wasi`.
    pub namespace: String,
    /// Package, as `http`.
    pub package: String,
    /// Interface, as `incoming-handler`.
    pub interface: String,
    /// Version, as `0.2.6`, where it has one.
    pub version: Option<String>,
}

impl Interface {
    /// The contract it belongs to; `None` where its parts are no WIT names.
    #[must_use]
    pub fn contract(&self) -> Option<Contract> {
        Contract::new(&self.namespace, &self.package).ok()
    }

    fn is(&self, namespace: &str, package: &str, interface: &str) -> bool {
        self.namespace == namespace && self.package == package && self.interface == interface
    }

    /// True for standard WASI of the generation with this version, as `0.2.`.
    fn is_standard(&self, generation: &str) -> bool {
        const PACKAGES: [&str; 7] = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];
        self.namespace == "wasi"
            && PACKAGES.contains(&self.package.as_str())
            && self.version.as_deref().is_some_and(|version| version.starts_with(generation))
    }

    /// True for standard WASI of any version.
    pub(crate) fn is_of_wasi(&self) -> bool {
        self.is_standard("")
    }

    fn is_wasip3(&self) -> bool {
        self.is_standard("0.3.")
    }

    /// True where every engine, or the one for WASI 0.3, has the interface.
    pub(crate) fn is_served(&self, kind: EngineKind) -> bool {
        self.is_standard("0.2.")
            || (self.is_wasip3() && kind == EngineKind::Wasip3)
            || imports::is_contract(&self.to_string())
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.namespace, self.package, self.interface)?;
        match &self.version {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Interface {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version.to_owned())),
            None => (text, None),
        };
        let (namespace, rest) = name.split_once(':').ok_or(())?;
        let (package, interface) = rest.split_once('/').ok_or(())?;
        let (namespace, package, interface) = (namespace.into(), package.into(), interface.into());
        Ok(Self { namespace, package, interface, version })
    }
}

/// The name, which is told where an actor does not start. The engine would refuse what this does, too.
fn named(name: &str) -> Result<&str, PrepareError> {
    match name.contains(char::is_control) {
        true => {
            let begins: String = name.chars().take(64).collect();
            Err(PrepareError::Invalid { reason: format!("{begins:?} is no name of an import or export") })
        }
        false => Ok(name),
    }
}

/// A component's imports and exports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// Imported interfaces, in the component's order.
    pub imports: Vec<Interface>,
    /// Exported interfaces, in the component's order.
    pub exports: Vec<Interface>,
    /// Imports that are no interfaces of a package: bare functions and the like. No host serves them.
    pub bare_imports: Vec<String>,
}

impl Outside {
    /// Reads the names at the outermost level of a component.
    pub(crate) fn read(wasm: &[u8]) -> Result<Self, PrepareError> {
        if !wasm.starts_with(b"\0asm") {
            let start = wasm.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
            return Err(PrepareError::NotWasm {
                start: if start.is_empty() { "nothing".into() } else { start },
            });
        }
        // The reader's words come in several lines, and may quote the component's.
        let invalid = |error: wasmparser::BinaryReaderError| PrepareError::Invalid {
            reason: error.to_string().replace(char::is_control, " "),
        };
        let mut outside = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(invalid)? {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    return Err(PrepareError::CoreModule);
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        let name = named(import.map_err(invalid)?.name.name)?;
                        match name.parse() {
                            Ok(interface) => outside.imports.push(interface),
                            Err(()) => outside.bare_imports.push(name.to_owned()),
                        }
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        outside.exports.extend(named(export.map_err(invalid)?.name.name)?.parse().ok());
                    }
                }
                _ => {}
            }
        }
        Ok(outside)
    }

    /// The first interface of WASI 0.3, if there is one.
    pub(crate) fn wasip3(&self) -> Option<&Interface> {
        self.imports.iter().chain(&self.exports).find(|interface| interface.is_wasip3())
    }

    /// The interfaces for which the actor needs a link as its source: contract and interface, each once.
    #[must_use]
    pub fn needs_links(&self) -> Vec<(Contract, String)> {
        let mut needs = Vec::new();
        for import in &self.imports {
            let Some(contract) = import.contract() else { continue };
            let linked = known(&contract).filter(|row| row.linked).is_some_and(|row| {
                row.interfaces.contains(&(import.interface.as_str(), Direction::ToProvider))
            });
            // WASI 0.3 calls it `client`; the link grants it under the one name.
            let client = import.is("wasi", "http", "client");
            let interface = if client { "outgoing-handler".to_owned() } else { import.interface.clone() };
            if (linked || client) && !needs.contains(&(contract.clone(), interface.clone())) {
                needs.push((contract, interface));
            }
        }
        needs
    }

    /// True if it answers HTTP requests.
    #[must_use]
    pub fn serves_http(&self) -> bool {
        self.exports.iter().any(|export| {
            (export.is("wasi", "http", "incoming-handler")
                && export.version.as_deref().is_some_and(|version| version.starts_with("0.2.")))
                || (export.is("wasi", "http", "handler") && export.is_wasip3())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Imports, exports, a component in it with imports of its own, and a module.
    fn component() -> Vec<u8> {
        let wat = r#"(component
            (import "wasi:keyvalue/store@0.2.0-draft" (instance $store (export "open" (func (param "a" string)))))
            (import "bare" (func))
            (core module (func (export "f")))
            (component (import "wasi:http/types@0.2.0" (instance)))
            (export "wasi:http/incoming-handler@0.2.6" (instance $store)))"#;
        wat::parse_str(wat).unwrap()
    }

    #[test]
    fn the_outermost_level_alone_is_read() {
        let outside = Outside::read(&component()).unwrap();
        let names = |all: &[Interface]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&outside.imports), ["wasi:keyvalue/store@0.2.0-draft"]);
        assert_eq!(names(&outside.exports), ["wasi:http/incoming-handler@0.2.6"]);
        assert_eq!(outside.bare_imports, ["bare"]);
        assert!(outside.serves_http());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        /// Bytes of strangers are read or refused, before the engine has seen them.
        #[test]
        fn a_damaged_component_is_read_or_refused(
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut in proptest::option::of(any::<prop::sample::Index>()),
        ) {
            let mut wasm = component();
            for (at, byte) in changes {
                let at = at.index(wasm.len());
                wasm[at] = byte;
            }
            if let Some(cut) = cut {
                wasm.truncate(cut.index(wasm.len()));
            }
            crate::fuzzing::outside(&wasm);
        }
    }
}
