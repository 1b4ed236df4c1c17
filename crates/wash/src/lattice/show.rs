//! Keys, times and paths for people.

use std::path::Path;

use lattice_core::one_line;

/// A key as a terminal shows it where whole keys do not fit: enough to be told apart and typed.
const SHORT_KEY_CHARS: usize = 9;

/// Cuts a key where the terminal is narrower than the `needed` columns; elsewhere it stays whole.
pub(crate) fn short_keys(key: &str, needed: usize) -> String {
    match terminal_columns() {
        Some(columns) if columns < needed => shorten(key),
        _ => key.to_owned(),
    }
}

/// Width of the terminal on standard output; none if that is no terminal.
fn terminal_columns() -> Option<usize> {
    comfy_table::Table::new().width().map(usize::from)
}

fn shorten(key: &str) -> String {
    if key.len() != 56 || !key.is_ascii() {
        return key.to_owned();
    }
    format!("{}…", &key[..SHORT_KEY_CHARS])
}

/// Seconds as `3d 4h`, `4h 5m`, `5m 6s` or `6s`.
pub(crate) fn uptime(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// The labels that an operator gave, as `zone=lab, rack=7`.
pub(crate) fn own_labels(labels: &lattice_core::Labels) -> String {
    let own = labels.0.iter().filter(|(key, _)| !key.starts_with("hostcore."));
    own.map(|(key, value)| one_line(&format!("{key}={value}")).into_owned()).collect::<Vec<_>>().join(", ")
}

/// A reference as the lattice needs it: a path becomes absolute, since hosts have another working folder.
pub(crate) fn image_of_files(image: &lattice_core::ImageRef) -> std::io::Result<lattice_core::ImageRef> {
    match image {
        lattice_core::ImageRef::File(path) => Ok(lattice_core::ImageRef::File(absolute(path)?)),
        other => Ok(other.clone()),
    }
}

fn absolute(path: &Path) -> std::io::Result<std::path::PathBuf> {
    // A link is followed, so that the host gets the file that is meant now; what is not there yet stays as written.
    path.canonicalize().or_else(|_| std::path::absolute(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_keys() {
        for (seconds, text) in [(6, "6s"), (306, "5m 6s"), (14_700, "4h 5m"), (273_600, "3d 4h")] {
            assert_eq!(uptime(seconds), text);
        }
        assert_eq!(shorten(&format!("N{}", "B".repeat(55))), "NBBBBBBBB…");
        assert_eq!(shorten("hello"), "hello");
    }
}
