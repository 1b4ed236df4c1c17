//! What the programs in `fuzz/engine` feed with bytes of strangers: each function reads them as a call does, and panics where a
//! rule is broken. Built for fuzzing and for tests, which run the corpus through; no part of the API.

use std::{fmt::Write as _, sync::LazyLock};

use wasmtime::{
    Engine,
    component::{Component, wasm_wave},
};

use crate::{component::Outside, exports, invoke::Asked, wave};

pub use crate::values::fuzzing::typed_values;

/// Types that have to have a name, by name.
const TYPES: [(&str, &str); 7] = [
    ("point", r#"(record (field "x" s32) (field "y" (option string)))"#),
    (
        "sparse",
        r#"(record (field "first-of-many" (option u8)) (field "b" (option u8)) (field "c" (option u8))
        (field "d" (option string)) (field "e" (option $point)) (field "last" (option (list u8))))"#,
    ),
    ("choice", r#"(variant (case "none") (case "some" $point) (case "true") (case "bytes" (list u8)))"#),
    ("colour", r#"(enum "red" "green" "nan" "ok")"#),
    ("mode", r#"(flags "read" "write" "c" "d" "e" "f" "g" "h" "true")"#),
    ("leaf", r#"(record (field "name" string) (field "mode" $mode) (field "colour" $colour))"#),
    ("tree", r#"(record (field "list" (list $leaf)) (field "result" (result $choice (error $sparse))))"#),
];

/// Functions by name, each of which takes a list of what stands beside it, and gives one.
pub(crate) const FUNCTIONS: [(&str, &str); 14] = [
    ("numbers", "(tuple bool s8 u8 s16 u16 s32 u32 s64 u64)"),
    ("floats", "(tuple f32 f64)"),
    ("chars", "char"),
    ("strings", "string"),
    ("bytes", "(list u8)"),
    ("points", "$point"),
    ("sparse-ones", "$sparse"),
    ("choices", "$choice"),
    ("colours", "$colour"),
    ("modes", "$mode"),
    ("options", "(option (option u8))"),
    ("results", "(tuple (result) (result u8) (result (error string)) (result $point (error $colour)))"),
    ("deep", "(list (option (tuple (list (list (option (tuple u8 (option $tree))))) (result (option s8)))))"),
    ("trees", "$tree"),
];

/// The function that gives a resource, so that nobody can call it by hand or from another host.
pub(crate) const OPEN: &str = "open";

/// An interface with all of them, in two versions, of which the second has less.
const INTERFACE: &str = "fuzz:types/every";

/// A component with a type of every kind. Nothing in it is ever run.
pub(crate) fn component() -> &'static Component {
    static COMPONENT: LazyLock<Component> = LazyLock::new(|| {
        let wasm = wat::parse_str(text()).expect("it is the text of a component");
        Component::new(&Engine::default(), wasm).expect("it is a component")
    });
    &COMPONENT
}

fn text() -> String {
    const CODE: &str = r#"
        (core module $code
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "listed") (param i32 i32) (result i32) unreachable)
            (func (export "many") (param i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
            (func (export "nothing"))
            (func (export "open") (result i32) unreachable))
        (core instance $code (instantiate $code))
        (type $resource (resource (rep i32)))
        (export $thing "thing" (type $resource))"#;
    const OTHERS: &str = r#"
        (func $many (export "many") (param "a" u32) (param "b" string) (param "c" (list $point)) (param "d" (option char))
            (result (option string)) (canon lift (core func $code "many") (memory (core memory $code "memory"))
                (realloc (core func $code "realloc"))))
        (func $nothing (export "nothing") (canon lift (core func $code "nothing")))
        (func $open (export "open") (result (own $thing)) (canon lift (core func $code "open")))"#;
    let (mut types, mut functions, mut exported) = (String::new(), String::new(), String::new());
    let fits = "text takes everything";
    for (name, ty) in TYPES {
        write!(types, r#"(type ${name}-of-it {ty}) (export ${name} "{name}" (type ${name}-of-it)) "#)
            .expect(fits);
    }
    for (name, of) in FUNCTIONS {
        write!(
            functions,
            r#"(func ${name} (export "{name}") (param "all" (list {of})) (result (list {of}))
                (canon lift (core func $code "listed") (memory (core memory $code "memory"))
                    (realloc (core func $code "realloc")))) "#
        )
        .expect(fits);
        write!(exported, r#"(export "{name}" (func ${name})) "#).expect(fits);
    }
    format!(
        r#"(component {CODE} {types} {functions} {OTHERS}
            (instance $every {exported}) (export "{INTERFACE}@0.1.0" (instance $every))
            (instance $few (export "floats" (func $floats))) (export "{INTERFACE}@0.2.0" (instance $few)))"#
    )
}

/// Makes what is made once, so that it counts for no input.
pub fn ready() {
    component();
    crate::values::fuzzing::ready();
}

/// Texts for a call by hand: a byte that says which function (where there is none for it, the first text is its name), and the
/// texts, with a byte 255 between them, which no text has. Whether they were arguments.
///
/// # Panics
/// If what was read is not written as what reads the same, or a refusal is long or has more than a line.
pub fn wave(data: &[u8]) -> bool {
    let Some((which, rest)) = data.split_first() else { return false };
    let texts = rest.split(|byte| *byte == 0xff).map(|text| std::str::from_utf8(text).map(str::to_owned));
    let Ok(mut texts) = texts.collect::<Result<Vec<String>, _>>() else { return false };
    let function = match FUNCTIONS.get(usize::from(*which)) {
        Some((name, _)) => (*name).to_owned(),
        None => texts.remove(0),
    };
    match Asked::new(component(), &function, &texts) {
        Ok(asked) => {
            let written = asked.args.iter().map(|value| wasm_wave::to_string(value).expect("it was read"));
            let written: Vec<String> = written.collect();
            let found = exports::find(component(), &asked.name).expect("it was found");
            let again = wave::values(&found.name, &found.ty, &written);
            assert_eq!(again, Ok(asked.args), "{texts:?} as {written:?}");
            true
        }
        Err((_, reason)) => {
            told(&reason);
            false
        }
    }
}

/// A component from anywhere, of which the names outside are read before the engine sees it. Whether they were read.
///
/// # Panics
/// If a name is written otherwise than it was read, or what is told of it does more than stand there.
pub fn outside(wasm: &[u8]) -> bool {
    match Outside::read(wasm) {
        Ok(outside) => {
            for interface in outside.imports.iter().chain(&outside.exports) {
                assert!(!interface.to_string().contains(char::is_control), "{interface:?}");
                assert_eq!(interface.to_string().parse(), Ok(interface.clone()));
            }
            assert!(outside.needs_links().len() <= outside.imports.len());
            let _ = (outside.serves_http(), outside.wasip3());
            true
        }
        Err(error) => {
            told(&error.to_string());
            false
        }
    }
}

/// What a refusal says.
pub(crate) fn told(reason: &str) {
    assert!(!reason.contains(char::is_control), "{reason:?}");
    assert!(reason.len() <= 16 * 1024, "{} bytes", reason.len());
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// What the fuzzer once found, or starts from: read, unless the name says `refused-`; what is called `found-` may be either.
    #[test]
    fn the_corpus_passes() {
        super::ready();
        let targets: [(&str, fn(&[u8]) -> bool); 3] =
            [("outside", super::outside), ("typed_values", super::typed_values), ("wave", super::wave)];
        for (target, read) in targets {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/engine/corpus").join(target);
            let mut count = 0;
            for entry in fs::read_dir(&folder).unwrap() {
                let file = entry.unwrap();
                let name = file.file_name().into_string().unwrap();
                let was_read = read(&fs::read(file.path()).unwrap());
                let is_as_named = was_read != name.starts_with("refused-") || name.starts_with("found-");
                assert!(is_as_named, "{target}/{name} is said to be other than it is");
                count += usize::from(was_read);
            }
            assert!(count >= 5, "{} has {count} inputs that are read", folder.display());
        }
    }
}
