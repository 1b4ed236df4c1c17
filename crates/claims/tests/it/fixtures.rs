//! Wasm files for the tests: made, padded and nested by hand, since tools write canonical files only.

use lattice_claims::{KeyKind, KeyPair};

/// When the tests happen.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) fn account() -> KeyPair {
    KeyPair::generate(KeyKind::Account)
}

pub(crate) fn module_key() -> KeyPair {
    KeyPair::generate(KeyKind::Module)
}

/// A core module with types, code and data.
pub(crate) fn module() -> Vec<u8> {
    wat::parse_str(
        r#"(module $m (memory (export "memory") 1) (data (i32.const 0) "hello")
            (func (export "f") (param i32) (result i32) local.get 0 i32.const 1 i32.add)
            (@custom "producers-like" "some bytes"))"#,
    )
    .expect("the text is a module")
}

/// A component with two core modules and a component that holds another module.
pub(crate) fn component() -> Vec<u8> {
    wat::parse_str(
        r#"(component
            (core module $a (func (export "f") (result i32) i32.const 42))
            (core instance $i (instantiate $a))
            (component $inner
                (core module $b (memory 1) (data (i32.const 0) "inner"))
                (core instance (instantiate $b)))
            (core module $c (func))
            (func (export "f") (result s32) (canon lift (core func $i "f"))))"#,
    )
    .expect("the text is a component")
}

/// A custom section.
pub(crate) fn custom(name: &str, data: &[u8], padded: bool) -> Vec<u8> {
    let mut content = leb(name.len(), false);
    content.extend_from_slice(name.as_bytes());
    content.extend_from_slice(data);
    section(0, &content, padded)
}

pub(crate) fn section(id: u8, content: &[u8], padded: bool) -> Vec<u8> {
    let mut bytes = vec![id];
    bytes.extend(leb(content.len(), padded));
    bytes.extend_from_slice(content);
    bytes
}

/// An empty module or component that holds these sections.
pub(crate) fn wrap(component: bool, sections: &[u8]) -> Vec<u8> {
    let header: &[u8; 8] = if component { b"\0asm\x0d\0\x01\0" } else { b"\0asm\x01\0\0\0" };
    [header, sections].concat()
}

fn leb(mut value: usize, padded: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        let last = if padded { bytes.len() == 4 } else { value == 0 };
        bytes.push(if last { low } else { low | 0x80 });
        if last {
            return bytes;
        }
    }
}

fn read_leb(bytes: &[u8], at: &mut usize) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

/// The same file with every section length, at every depth, written in five bytes.
pub(crate) fn pad_lengths(wasm: &[u8]) -> Vec<u8> {
    let component = wasm[4] == 0x0d;
    let mut padded = wasm[..8].to_vec();
    let mut at = 8;
    while at < wasm.len() {
        let id = wasm[at];
        at += 1;
        let len = read_leb(wasm, &mut at);
        let content = &wasm[at..at + len];
        at += len;
        let content = if component && matches!(id, 1 | 4) { pad_lengths(content) } else { content.to_vec() };
        padded.extend(section(id, &content, true));
    }
    padded
}
