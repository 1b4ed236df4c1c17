//! The attack, against a closed lattice and an open one: every line ends as it is documented.

use std::time::Duration;

use lattice_testkit::{Launch, Process, Tools, workspace_root};
use serde_json::Value;

/// Longer than a captured command lives, on a busy machine.
const WITHIN: Duration = Duration::from_secs(600);

/// Runs the whole list; its lines.
async fn attacked(flags: &[&str]) -> Vec<Value> {
    let server = Tools::of_workspace().nats_server(None, &mut |line| eprintln!("{line}")).unwrap();
    let launch = Launch::binary("lattice-attack").unwrap().args(["-o", "json", "--nats-server"]).arg(server);
    let mut process = Process::spawn(launch.args(flags.iter().copied())).unwrap();
    let status = process.wait(WITHIN).await.unwrap();
    let said = process.output();
    let json = said.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{status}: {said}"));
    let all: Value = serde_json::from_str(json).unwrap();
    let attempts = all["attempts"].as_array().unwrap().clone();
    let odd: Vec<&Value> = attempts.iter().filter(|line| line["as_documented"] != true).collect();
    assert!(odd.is_empty() && status.success(), "{status}: {odd:#?}");
    attempts
}

/// The rows of the table that people read, by number.
fn rows() -> Vec<String> {
    let file = workspace_root().join("examples/lattices/attack/README.md");
    let text = std::fs::read_to_string(file).unwrap();
    let is_row = |line: &&str| {
        line.strip_prefix("| ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    text.lines().filter(is_row).map(str::to_owned).collect()
}

/// The page says so in its text, too.
fn says(words: &str) {
    let file = workspace_root().join("examples/lattices/attack/README.md");
    assert!(std::fs::read_to_string(file).unwrap().contains(words), "{words:?}");
}

#[tokio::test]
async fn a_closed_lattice_refuses_every_attempt() {
    let attempts = attacked(&[]).await;
    assert!(attempts.len() >= 40, "{}", attempts.len());
    for line in &attempts {
        assert_eq!(line["outcome"], "refused", "{line}");
        let is_told = |field: &str| line[field].as_str().is_some_and(|text| !text.is_empty());
        assert!(is_told("by") && is_told("seen") && is_told("evidence"), "{line}");
    }
    let rows = rows();
    assert_eq!(rows.len(), attempts.len(), "the README has a row for each");
    says(&format!("{0} of {0} are refused in a closed lattice", rows.len()));
    for (line, row) in attempts.iter().zip(&rows) {
        let text = |field: &str| line[field].as_str().unwrap().to_owned();
        let (place, tried, by, seen) = (text("place"), text("tried"), text("by"), text("seen"));
        let expected = format!("| {} | {place} | {tried} | {by} | {seen} |", line["number"]);
        assert!(row.starts_with(&expected), "the README says {row}, and it is {expected}");
    }
    for place in ["stranger", "provider", "viewer", "actor", "registry", "archive"] {
        assert!(attempts.iter().any(|line| line["place"] == place), "{place}");
    }
}

#[tokio::test]
async fn an_open_lattice_refuses_what_needs_no_credentials_to_be_refused() {
    let attempts = attacked(&["--open"]).await;
    let succeeded = attempts.iter().filter(|line| line["outcome"] == "succeeded").count();
    says(&format!("In an open one {succeeded} succeed"));
    // Whoever reaches the port steers the lattice; images, archives, actors and visitors are kept in all the same.
    assert!(succeeded >= 30, "{succeeded}");
    for (line, row) in attempts.iter().zip(rows()) {
        let outcome = if line["outcome"] == "refused" { "| refused |" } else { "| **succeeds** |" };
        assert!(row.ends_with(outcome), "the README says {row}, and it is {line}");
        let place = line["place"].as_str().unwrap();
        if ["image", "registry", "archive", "disk", "actor", "visitor", "manifest"].contains(&place) {
            assert_eq!(line["outcome"], "refused", "{line}");
        }
    }
}
