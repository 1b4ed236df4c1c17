//! The command blocks of a document: fenced blocks marked `sh` or `console`.
//!
//! A `sh` block is a script. A `console` block holds commands after `$ `, each followed by what it prints. Words after the mark
//! say more: `no-run reason="…"` (not run, and the reason is told) and `background until="…"` (goes on while the rest of the
//! document runs, which begins when that text was printed).

use super::markdown::{Line, lines};

/// One command block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Where it starts.
    pub(super) line: usize,
    pub(super) commands: Vec<Command>,
    pub(super) mode: Mode,
}

/// What is run, and what it has to print where that is shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) script: String,
    pub(super) expected: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Run to its end.
    Run,
    /// Started, and left running once it has printed this.
    Background(String),
    /// Not run, for this reason.
    Skip(String),
}

/// The command blocks of `text`.
///
/// # Errors
/// The number of a line and what is wrong with the block that starts there.
pub(super) fn blocks(text: &str) -> Result<Vec<Block>, (usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, bool, Mode, Vec<&str>)> = None;
    for (number, line) in lines(text) {
        match line {
            Line::Open(info) => {
                let (mark, attributes) = info.split_once(char::is_whitespace).unwrap_or((info, ""));
                if matches!(mark, "sh" | "console") {
                    let mode = mode(attributes).map_err(|reason| (number, reason))?;
                    open = Some((number, mark == "console", mode, Vec::new()));
                }
            }
            Line::Code(code) => open.iter_mut().for_each(|(.., body)| body.push(code)),
            Line::Close => {
                if let Some((line, is_console, mode, body)) = open.take() {
                    let commands = if is_console { console(&body) } else { script(&body) };
                    found.push(Block { line, commands, mode });
                }
            }
            Line::Prose(_) => {}
        }
    }
    Ok(found)
}

fn mode(attributes: &str) -> Result<Mode, String> {
    let value = |name: &str| {
        let rest = attributes.split_once(&format!("{name}=\""))?.1;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let word = attributes.split_whitespace().next().unwrap_or_default();
    match word {
        "" => Ok(Mode::Run),
        "no-run" => value("reason").map(Mode::Skip).ok_or("no-run needs a reason=\"…\"".to_owned()),
        "background" => {
            value("until").map(Mode::Background).ok_or("background needs an until=\"…\"".to_owned())
        }
        other => Err(format!("{other} is none of no-run and background")),
    }
}

fn script(body: &[&str]) -> Vec<Command> {
    vec![Command { script: body.join("\n"), expected: None }]
}

fn console(body: &[&str]) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    for line in body {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(script), _) => commands.push(Command { script: script.to_owned(), expected: None }),
            // A command that goes on in the next line.
            (None, Some(last)) if last.expected.is_none() && last.script.ends_with('\\') => {
                last.script.push('\n');
                last.script.push_str(line);
            }
            (None, Some(last)) => {
                let expected = last.expected.get_or_insert_default();
                expected.push_str(line);
                expected.push('\n');
            }
            (None, None) => {}
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_with_their_marks() {
        let text = "```sh\na\nb\n```\n```console background until=\"is up\"\n$ x \\\n  y\nout\n$ z\n```\n```rust\nno\n```\n```sh no-run reason=\"needs two machines\"\nc\n```\n";
        let found = blocks(text).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], Block { line: 1, commands: script(&["a", "b"]), mode: Mode::Run });
        assert_eq!(found[1].mode, Mode::Background("is up".to_owned()));
        assert_eq!(found[1].commands[0].script, "x \\\n  y");
        assert_eq!(found[1].commands[0].expected.as_deref(), Some("out\n"));
        assert_eq!(found[1].commands[1], Command { script: "z".to_owned(), expected: None });
        assert_eq!(found[2].mode, Mode::Skip("needs two machines".to_owned()));
    }

    #[test]
    fn a_mark_without_its_reason_is_refused() {
        assert_eq!(blocks("\n```sh no-run\n```").unwrap_err().0, 2);
        assert!(blocks("```sh later\n```").unwrap_err().1.contains("later"));
    }
}
