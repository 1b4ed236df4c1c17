//! The permissions as the configuration of a nats-server that knows its users by name and password.

use std::fmt::Write as _;

use super::Permissions;

/// A user of a server that keeps names and passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUser<'a> {
    /// The name to log in with.
    pub name: &'a str,
    /// The password, or its bcrypt hash.
    pub password: &'a str,
    /// What it may do.
    pub permissions: &'a Permissions,
}

/// The block `authorization` of a server's configuration: these users, and nobody else.
#[must_use]
pub fn server_authorization(users: &[ServerUser<'_>]) -> String {
    let mut text = "authorization {\n  users: [\n".to_owned();
    for user in users {
        let (name, password) = (quoted(user.name), quoted(user.password));
        let _ = writeln!(text, "    {{ user: {name}, password: {password}, permissions: {{");
        let _ = writeln!(text, "      publish: {{ allow: [{}] }}", list(&user.permissions.publish));
        let _ = writeln!(text, "      subscribe: {{ allow: [{}] }}", list(&user.permissions.subscribe));
        text.push_str("    } }\n");
    }
    text.push_str("  ]\n}\n");
    text
}

fn list(subjects: &[String]) -> String {
    subjects.iter().map(|subject| quoted(subject)).collect::<Vec<_>>().join(", ")
}

/// As the configuration reads strings.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
