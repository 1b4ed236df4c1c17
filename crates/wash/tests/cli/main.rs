//! `wash` as it is typed: what it prints, what it leaves behind, how it exits. Each test has a home folder of its own.

#![allow(clippy::unwrap_used, reason = "the helpers of tests, which may panic")]

mod caches;
mod claims;
mod inspect;
mod keys;
mod nats;
mod par;
mod registry;
mod usage;

use std::{fs, path::Path};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A user with an empty home folder, who works in it.
struct User {
    home: TempDir,
}

/// How a command ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl User {
    fn new() -> User {
        User { home: TempDir::new().unwrap() }
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    fn wash(&self, args: &[&str]) -> Ended {
        self.wash_with(args, &[])
    }

    fn wash_with(&self, args: &[&str], env: &[(&str, &str)]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wash"));
        command.args(args).current_dir(self.path()).env_clear();
        command.env("HOME", self.path()).env("USER", "ann").envs(env.iter().copied());
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(self.path().to_str().unwrap(), "HOME")
        };
        Ended {
            code: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// The answer of a command that has to succeed.
    fn json(&self, args: &[&str]) -> Value {
        let ended = self.wash(&[args, &["-o", "json"]].concat());
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{args:?}: {}", ended.stdout);
        let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(answer["success"], true);
        answer
    }

    /// The error of a command that has to fail.
    fn json_error(&self, args: &[&str]) -> Value {
        let ended = self.wash(&[args, &["-o", "json"]].concat());
        assert_eq!(ended.stdout, "", "{args:?}");
        let error: Value = serde_json::from_str(&ended.stderr).unwrap();
        assert_eq!(error["success"], false);
        assert_eq!(error["exit_code"], ended.code);
        error
    }
}

impl Ended {
    /// All of it, with keys and digests replaced: what a golden file holds.
    fn transcript(&self) -> String {
        let mut text =
            format!("exit code {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr);
        for word in words(&text) {
            if let Some(mask) = mask(&word) {
                text = text.replace(&word, &mask);
            }
        }
        text
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned).collect()
}

/// Public keys and seeds by their kind, and hashes.
fn mask(word: &str) -> Option<String> {
    let base32 = word.chars().all(|c| matches!(c, 'A'..='Z' | '2'..='7'));
    match word.len() {
        56 if base32 => Some(format!("<{} key>", &word[..1])),
        58 if base32 => Some(format!("<{} seed>", &word[..2])),
        64 if word.chars().all(|c| c.is_ascii_hexdigit()) => Some("<hash>".to_owned()),
        _ => None,
    }
}

/// A component that imports key-value and exports an HTTP handler, in outline.
fn component() -> Vec<u8> {
    wat::parse_str(
        r#"(component
            (import "wasi:keyvalue/store@0.2.0-draft" (instance))
            (component $empty)
            (instance $handler (instantiate $empty))
            (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#,
    )
    .unwrap()
}
