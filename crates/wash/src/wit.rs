//! What a component asks for and offers.

use lattice_core::one_line;
use serde::Serialize;
use wasmparser::{Parser, Payload};
use wit_component::{DecodedWasm, WitPrinter};

/// The outside of an actor.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Surface {
    /// `component` or `module`.
    pub(crate) format: &'static str,
    /// Interfaces by name; functions of a module as `module.function`.
    pub(crate) imports: Vec<String>,
    /// The same for what it offers.
    pub(crate) exports: Vec<String>,
    /// The component's world in WIT; none for a module.
    #[serde(skip)]
    pub(crate) wit: Option<String>,
}

/// Reads the outside of a component or module.
///
/// # Errors
/// A sentence: the file is damaged, or uses what this version does not know.
pub(crate) fn surface(wasm: &[u8]) -> Result<Surface, String> {
    let read = if Parser::is_core_wasm(wasm) {
        module(wasm).map_err(|error| error.to_string())
    } else {
        component(wasm)
    };
    read.map_err(|why| sentence(&why))
}

/// The parser lists bytes one in a line, and repeats names that hold anything.
fn sentence(why: &str) -> String {
    shown(&why.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn component(wasm: &[u8]) -> Result<Surface, String> {
    // The decoder makes room for as much as a section promises, so it gets only what keeps its promises.
    Parser::new(0)
        .parse_all(wasm)
        .try_for_each(|payload| payload.map(drop))
        .map_err(|error| error.to_string())?;
    let decoded = wit_component::decode(wasm).map_err(|error| format!("{error:#}"))?;
    let DecodedWasm::Component(resolve, world) = &decoded else {
        return Err("it is a WIT package, which holds no code".to_owned());
    };
    let names = |items: &[&wit_parser::WorldKey]| {
        items.iter().map(|key| resolve.name_world_key(key)).collect::<Vec<_>>()
    };
    let world = &resolve.worlds[*world];
    let imports = names(&world.imports.keys().collect::<Vec<_>>());
    let exports = names(&world.exports.keys().collect::<Vec<_>>());
    let mut printer = WitPrinter::default();
    printer.print(resolve, decoded.package(), &[]).map_err(|error| format!("{error:#}"))?;
    Ok(Surface { format: "component", imports, exports, wit: Some(printer.output.to_string()) })
}

fn module(wasm: &[u8]) -> wasmparser::Result<Surface> {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    imports.push(shown(&format!("{}.{}", import.module, import.name)));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    exports.push(shown(export?.name));
                }
            }
            _ => {}
        }
    }
    Ok(Surface { format: "module", imports, exports, wit: None })
}

/// A module's names may hold anything; none of it is for the terminal.
fn shown(name: &str) -> String {
    one_line(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the fuzzer once found, or starts from.
    #[test]
    fn the_corpus_passes() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/wit");
        let inputs =
            std::fs::read_dir(&folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        let one_line = |why: &String| assert!(!why.contains(char::is_control), "{why:?}");
        let count = inputs.inspect(|input| drop(surface(input).inspect_err(one_line))).count();
        assert!(count > 0, "{} is empty", folder.display());
    }

    #[test]
    fn what_is_no_wasm_is_said_in_one_line() {
        let said = surface(b"\x07\x01\0\x01\0asm\x0d\0\x01\0").unwrap_err();
        assert!(said.starts_with("magic header not detected") && !said.contains('\n'), "{said}");
        assert!(said.contains("expected=[ 0x0, 0x61, 0x73, 0x6d, ]"), "{said}");
    }

    #[test]
    fn what_an_empty_component_and_a_module_show() {
        let component = surface(b"\0asm\x0d\0\x01\0").unwrap();
        assert_eq!((component.format, component.imports.len()), ("component", 0));
        assert!(component.wit.unwrap().contains("world"));
        let module = surface(b"\0asm\x01\0\0\0").unwrap();
        assert_eq!(module.format, "module");
        assert!(surface(b"\0asm\x0d\0\x01\0\x07\xff").is_err());
        let odd =
            wat::parse_str(r#"(module (import "a" "\1b[2J" (func)) (export "b\0ac" (func 0)))"#).unwrap();
        let odd = surface(&odd).unwrap();
        assert_eq!((&*odd.imports[0], &*odd.exports[0]), (r"a.\u{1b}[2J", r"b\nc"));
    }
}
