//! Manifests: a YAML description of actors, providers, links and configurations, read into a desired state.
//!
//! Pure functions over text: no files are opened, no variables read but through the function given. Every error carries
//! its byte span, line and column, and all of them are reported at once where the text allows it.
//!
//! ```
//! let text = "app: demo\nactors:\n  - name: hello\n    image: ./hello_s.wasm\n";
//! let manifest = lattice_manifest::parse(text, "demo.yaml", "/srv".as_ref(), &|_| None)?;
//! assert_eq!(manifest.plan().actors[0].image.to_string(), "file:///srv/hello_s.wasm");
//! # Ok::<(), lattice_manifest::ManifestErrors>(())
//! ```

mod check;
mod error;
mod fields;
mod foreign;
mod links;
mod model;
mod names;
mod read;
mod secrets;
mod tree;
mod units;
mod variables;

pub use error::{LabelledErrors, ManifestError, ManifestErrors, Note, Problem};
pub use model::{Actor, Limits, Manifest, NamedConfig, Plan, Provider};
pub use read::parse;

#[cfg(test)]
mod tests;
