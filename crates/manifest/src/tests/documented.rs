//! Every example of `docs/manifest.md` is read here as it stands.

use super::{errors, parse};

const DOC: &str = include_str!("../../../../docs/manifest.md");

#[test]
fn examples_of_the_documentation_are_as_they_say() {
    let mut blocks = DOC.split("\n```").collect::<Vec<_>>().into_iter();
    let (mut good, mut bad) = (0, Vec::new());
    blocks.next();
    for block in blocks {
        if let Some(text) = block.strip_prefix("yaml\n") {
            if let Err(errors) = parse(text) {
                panic!("{errors}\n{text}");
            }
            good += 1;
        } else if let Some(text) = block.strip_prefix("yaml error\n") {
            bad.push(errors(text));
        } else if let Some(text) = block.strip_prefix("text\n") {
            assert_eq!(bad.pop().as_deref(), Some(text));
        }
    }
    assert!(good >= 5 && bad.is_empty(), "{good} good examples, without their errors: {bad:?}");
}
