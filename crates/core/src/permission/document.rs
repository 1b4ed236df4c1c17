//! The permissions as a document shows them.

use std::fmt::Write as _;

use super::{Lane, Role, Row, TABLE, template::names_without_rights};

/// The table of `docs/security.md`: for each role what it may publish to, subscribe to and ask of JetStream, and why.
#[must_use]
pub fn permissions_document() -> String {
    let mut text = String::new();
    for role in Role::ALL {
        let _ = write!(text, "### {role}\n\n{}{}.\n\n", role.about()[..1].to_uppercase(), &role.about()[1..]);
        text.push_str("| may | subject | for |\n| --- | --- | --- |\n");
        for row in TABLE.iter().filter(|row| row.role == role) {
            let (subject, queue) = match row.subject.split_once(' ') {
                Some((subject, queue)) => (subject, format!(", in the queue group `{queue}`")),
                None => (row.subject, String::new()),
            };
            let _ = writeln!(text, "| {} | `{subject}`{queue} | {} |", may(row), row.why);
        }
        text.push('\n');
        if role == Role::Provider {
            let names: Vec<_> = names_without_rights().map(|name| format!("`{name}`")).collect();
            let _ = write!(
                text,
                "Where a lattice's signing key signs, each of these is denied with {} in the place of `{{me}}`.\n\n",
                listed(&names)
            );
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// As a sentence lists things: `a, b or c`.
fn listed(names: &[String]) -> String {
    match names {
        [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => names.concat(),
    }
}

fn may(row: &Row) -> &'static str {
    match (row.lane, row.is_jetstream()) {
        (Lane::Subscribe, _) => "subscribe",
        (Lane::Publish, true) => "ask JetStream",
        (Lane::Publish, false) => "publish",
    }
}
