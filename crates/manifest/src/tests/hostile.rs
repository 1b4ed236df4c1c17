use proptest::prelude::*;

use super::{errors, parse};

#[test]
fn bombs_are_refused_quickly() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let before = format!("*a{}", level - 1);
        laughs += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
    }
    let deep = format!("app: {}", "[".repeat(100_000));
    let deep_blocks: String = (0..3_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let long = format!("app: a\n# {}\n", "x".repeat(2 << 20));
    let nested_variables = format!("app: {}x{}", "${A:-".repeat(10_000), "}".repeat(10_000));
    for text in [laughs, deep, deep_blocks, long, nested_variables] {
        let started = std::time::Instant::now();
        assert!(parse(&text).is_err());
        assert!(started.elapsed().as_secs() < 5, "took {:?}", started.elapsed());
    }
}

const WORDS: &[&str] = &[
    "app",
    "actors",
    "providers",
    "links",
    "configs",
    "name",
    "image",
    "from",
    "to",
    "contract",
    "config",
    "limits",
    "memory",
    "hello",
    "wasi:http",
    "wasmcloud:httpserver",
    "builtin://http-server",
    "./x.wasm",
    "${V}",
    "${V:x}",
    "\"${V}\"",
    ": ",
    ":\n",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "\n- ",
    "\n  - ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "&a ",
    "*a",
    "<<: ",
    "|\n ",
    "#",
    "'",
    "\"",
    "é",
    "\u{feff}",
    "\t",
    "?",
    "!!str ",
    "---\n",
    "%YAML 1.2\n",
    "1",
    "~",
    "true",
];

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_words_of_a_manifest_are_read_or_refused(picks in prop::collection::vec(0..WORDS.len(), 0..60)) {
        let text: String = picks.iter().map(|at| WORDS[*at]).collect();
        if let Err(found) = parse(&text) {
            prop_assert!(!found.errors().is_empty());
            for error in found.errors() {
                prop_assert!(error.span.end <= text.len() && text.is_char_boundary(error.span.start));
                prop_assert!(error.line >= 1 && error.column >= 1, "{error:?} in {text:?}");
            }
            let _ = errors(&text);
            let mut shown = String::new();
            let handler = miette::GraphicalReportHandler::new();
            prop_assert!(handler.render_report(&mut shown, &found.into_labelled()).is_ok());
        }
    }
}
