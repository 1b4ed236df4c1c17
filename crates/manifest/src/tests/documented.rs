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

#[test]
fn manifests_in_the_other_documents_are_sound() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut read = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|ending| ending != "md") || file.ends_with("manifest.md") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for block in text.split("\n```").filter_map(|block| block.strip_prefix("yaml\n")) {
            if let Err(errors) = parse(block) {
                panic!("{}: {errors}\n{block}", file.display());
            }
            read += 1;
        }
    }
    assert!(read > 0);
}

#[test]
fn manifests_of_the_project_are_sound() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests");
    let mut read = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        // A variable without a default is the user's; any number will do.
        let vars = |_: &str| Some("8080".to_owned());
        if let Err(errors) = crate::parse(&text, &file.display().to_string(), &folder, &vars) {
            panic!("{errors}");
        }
        read += 1;
    }
    assert!(read > 0);
}
