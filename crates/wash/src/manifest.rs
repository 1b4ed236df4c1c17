//! Manifests from files, with variables from the environment.

use std::path::Path;

use lattice_manifest::Manifest;
use miette::Report;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    files,
    output::{Format, Output},
};

/// The longest file that is read: the parser refuses shorter ones already, with a better text.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Reads and checks a manifest; what is worth knowing about it is noted.
///
/// # Errors
/// The file cannot be read, or has errors: all of them, each with its place.
pub(crate) fn load(out: &Output, file: &Path) -> Outcome<Manifest> {
    let cannot = |error| {
        Failure::refused(error)
            .context(format!("cannot read the manifest {}", file.display()))
            .help("name a file with -m FILE; docs/manifest.md shows what it may say")
    };
    let absolute = std::path::absolute(file).map_err(cannot)?;
    let text = files::read_text(&absolute, FILE_BYTES_MAX).map_err(cannot)?;
    let folder = absolute.parent().unwrap_or(Path::new("/"));
    let name = file.display().to_string();
    let manifest = lattice_manifest::parse(&text, &name, folder, &|name| std::env::var(name).ok());
    let manifest = manifest.map_err(|errors| match out.format() {
        Format::Text => Failure::diagnostic(Exit::Refused, Report::new(errors.into_labelled())),
        // Programs get the one-line form, since a label means nothing to them.
        Format::Json => Failure::say(Exit::Refused, errors.to_string()),
    })?;
    for note in manifest.notes() {
        out.note(format!("{name}:{}:{}: {}", note.line, note.column, note.message));
    }
    Ok(manifest)
}
