//! The claims section of a wasm file: found, embedded, stripped, and the hash that a signature vouches for.
//!
//! The hash is over the file without any claims section at any depth, each remaining section header written again in its
//! shortest form. It is computed in two walks (sizes of the nested parts, then the bytes), so that a hostile file costs no
//! more than its length twice, whatever it nests.

use std::ops::Range;

use sha2::{Digest, Sha256};
use wasmparser::{Encoding, Parser, Payload};

use crate::{jwt::TOKEN_BYTES_MAX, keys::shown_reason};

/// The name of the custom section that holds the token.
pub const SECTION: &str = "wasmcloud_jwt";
/// Its name in files signed before 2022; read, never written.
pub const SECTION_2021: &str = "jwt";
/// The largest wasm that is looked at.
pub const WASM_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How deep modules and components may nest.
pub const DEPTH_MAX: usize = 64;

const MODULE_HEADER: [u8; 8] = *b"\0asm\x01\0\0\0";
const COMPONENT_HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";
const NESTED_MODULE: u8 = 1;
const NESTED_COMPONENT: u8 = 4;

/// Why wasm bytes cannot be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SectionError {
    /// It does not begin as wasm does.
    #[error("it is not a WebAssembly file: it begins with {}", beginning(begins))]
    NotWasm {
        /// Its first bytes, at most 8.
        begins: Vec<u8>,
    },
    /// It is larger than anything we look at.
    #[error("the wasm has {bytes} bytes, more than {WASM_BYTES_MAX}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// It nests modules and components too deeply.
    #[error("the wasm nests modules more than {DEPTH_MAX} deep")]
    TooDeep,
    /// It is truncated or damaged.
    #[error("the wasm is damaged or cut short at byte {at}: {reason}")]
    Damaged {
        /// Where.
        at: usize,
        /// What the parser says.
        reason: String,
    },
    /// More than one claims section stands at the outermost level. Readers would disagree on which counts, so none does.
    #[error("the wasm holds {count} signatures, where one is allowed")]
    SeveralClaims {
        /// How many.
        count: usize,
    },
    /// The claims section is too long, or no text.
    #[error("the wasm's claims section is not a token: {reason}")]
    NotAToken {
        /// Why not.
        reason: &'static str,
    },
}

fn beginning(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing (it is empty)".to_owned();
    }
    format!("\"{}\"", bytes.escape_ascii())
}

/// One step through a file. Claims sections of any depth come as `Claims`, everything else as what must be kept.
enum Piece<'a> {
    Header(Encoding),
    Section { id: u8, data: &'a [u8] },
    Open,
    Close,
    Claims { depth: usize, whole: Range<usize>, data: &'a [u8] },
}

fn damaged(at: usize, reason: impl ToString) -> SectionError {
    SectionError::Damaged { at, reason: shown_reason(reason) }
}

fn walk<'a>(wasm: &'a [u8], mut visit: impl FnMut(Piece<'a>)) -> Result<(), SectionError> {
    if wasm.len() < 8 || !wasm.starts_with(b"\0asm") {
        return Err(SectionError::NotWasm { begins: wasm.iter().take(8).copied().collect() });
    }
    if wasm.len() > WASM_BYTES_MAX {
        return Err(SectionError::TooLarge { bytes: wasm.len() });
    }
    // What the next header must say: a nested component may not pass for a nested module.
    let mut expected: Option<Encoding> = None;
    // Where each open part must end; the parser itself lets the end of the file end them all.
    let mut ends = vec![wasm.len()];
    // Where the payload before this one ended, which is where the current section's header begins.
    let mut end = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| damaged(error.offset(), error.message()))?;
        match &payload {
            Payload::Version { encoding, range, .. } => {
                if expected.take().is_some_and(|wanted| wanted != *encoding) {
                    return Err(damaged(range.start, "a nested part is not of the kind its section says"));
                }
                end = range.end;
                visit(Piece::Header(*encoding));
            }
            Payload::ModuleSection { unchecked_range: range, .. }
            | Payload::ComponentSection { unchecked_range: range, .. } => {
                let module = matches!(payload, Payload::ModuleSection { .. });
                expected = Some(if module { Encoding::Module } else { Encoding::Component });
                if ends.len() > DEPTH_MAX {
                    return Err(SectionError::TooDeep);
                }
                if ends.last().is_some_and(|outer| range.end > *outer) {
                    return Err(damaged(range.start, "a nested part ends outside of what holds it"));
                }
                ends.push(range.end);
                visit(Piece::Open);
            }
            Payload::End(offset) => {
                end = *offset;
                if ends.pop() != Some(end) {
                    return Err(damaged(end, "a part ends before or after its section does"));
                }
                if ends.is_empty() {
                    return Ok(());
                }
                visit(Piece::Close);
            }
            Payload::CustomSection(custom) if matches!(custom.name(), SECTION | SECTION_2021) => {
                let range = custom.range();
                let depth = ends.len() - 1;
                visit(Piece::Claims { depth, whole: end..range.end, data: custom.data() });
                end = range.end;
            }
            other => {
                let Some((id, range)) = other.as_section() else { continue };
                let data =
                    wasm.get(range.clone()).ok_or_else(|| damaged(range.start, "a section ends outside"))?;
                end = range.end;
                visit(Piece::Section { id, data });
            }
        }
    }
    Err(damaged(wasm.len(), "it does not end"))
}

/// The shortest LEB128 form of a length.
fn leb128(mut value: usize) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    let mut used = 0;
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits fit a byte");
        value >>= 7;
        bytes[used] = if value == 0 { low } else { low | 0x80 };
        used += 1;
        if value == 0 {
            return (bytes, used);
        }
    }
}

fn section_len(content: usize) -> usize {
    1 + leb128(content).1 + content
}

/// The lengths of the outermost and every nested part once stripped, in the order in which they begin.
fn stripped_sizes(wasm: &[u8]) -> Result<Vec<usize>, SectionError> {
    let mut sizes = vec![0];
    let mut open = vec![0];
    walk(wasm, |piece| {
        let current = open.last().copied().unwrap_or_default();
        match piece {
            Piece::Header(_) => sizes[current] += MODULE_HEADER.len(),
            Piece::Section { data, .. } => sizes[current] += section_len(data.len()),
            Piece::Open => {
                open.push(sizes.len());
                sizes.push(0);
            }
            Piece::Close => {
                open.pop();
                let parent = open.last().copied().unwrap_or_default();
                sizes[parent] += section_len(sizes[current]);
            }
            Piece::Claims { .. } => {}
        }
    })?;
    Ok(sizes)
}

/// Gives the stripped file's bytes to `sink`, piece by piece; returns nothing if the file is unusable.
fn emit_stripped(wasm: &[u8], sizes: &[usize], mut sink: impl FnMut(&[u8])) -> Result<(), SectionError> {
    let mut begun = 0;
    let section_header = |sink: &mut dyn FnMut(&[u8]), id: u8, len: usize| {
        let (bytes, used) = leb128(len);
        sink(&[id]);
        sink(&bytes[..used]);
    };
    walk(wasm, |piece| match piece {
        Piece::Header(encoding) => {
            let module = matches!(encoding, Encoding::Module);
            if begun > 0 {
                // The section's id follows from what is in it, which `walk` has compared with what it said.
                let id = if module { NESTED_MODULE } else { NESTED_COMPONENT };
                section_header(&mut sink, id, sizes[begun]);
            }
            begun += 1;
            sink(if module { &MODULE_HEADER } else { &COMPONENT_HEADER });
        }
        Piece::Section { id, data } => {
            section_header(&mut sink, id, data.len());
            sink(data);
        }
        Piece::Open | Piece::Close | Piece::Claims { .. } => {}
    })
}

/// The file without claims sections, at any depth, with canonical section headers. Stripping twice changes nothing more.
///
/// # Errors
/// Any [`SectionError`] but `SeveralClaims` and `NotAToken`: what is in the claims sections does not matter here.
pub fn strip_claims(wasm: &[u8]) -> Result<Vec<u8>, SectionError> {
    let sizes = stripped_sizes(wasm)?;
    let mut stripped = Vec::with_capacity(sizes[0]);
    emit_stripped(wasm, &sizes, |bytes| stripped.extend_from_slice(bytes))?;
    Ok(stripped)
}

/// Upper-case hex SHA-256 of what [`strip_claims`] would return: what signatures of revision 3 vouch for.
///
/// # Errors
/// As [`strip_claims`].
pub fn canonical_hash(wasm: &[u8]) -> Result<String, SectionError> {
    let sizes = stripped_sizes(wasm)?;
    let mut digest = Sha256::new();
    emit_stripped(wasm, &sizes, |bytes| digest.update(bytes))?;
    Ok(hex(digest))
}

/// The hash of a signed file with just the bytes of its claims section cut out: what the tools of 2021 signed, which
/// had rewritten the whole file before.
pub(crate) fn cut_out_hash(wasm: &[u8], claims: &Range<usize>) -> String {
    let before = wasm.get(..claims.start).unwrap_or_default();
    let after = wasm.get(claims.end..).unwrap_or_default();
    hex(Sha256::new().chain_update(before).chain_update(after))
}

fn hex(digest: Sha256) -> String {
    data_encoding::HEXUPPER.encode(&digest.finalize())
}

/// A token and the bytes of the section around it.
pub(crate) struct Found<'a> {
    pub(crate) token: &'a str,
    pub(crate) section: Range<usize>,
}

pub(crate) fn find_claims(wasm: &[u8]) -> Result<Option<Found<'_>>, SectionError> {
    let mut first = None;
    let mut count = 0;
    walk(wasm, |piece| {
        if let Piece::Claims { depth: 0, whole, data } = piece {
            count += 1;
            first.get_or_insert((whole, data));
        }
    })?;
    let Some((section, data)) = first else { return Ok(None) };
    if count > 1 {
        return Err(SectionError::SeveralClaims { count });
    }
    if data.len() > TOKEN_BYTES_MAX {
        return Err(SectionError::NotAToken { reason: "it is too long" });
    }
    let token = str::from_utf8(data).map_err(|_| SectionError::NotAToken { reason: "it is not text" })?;
    Ok(Some(Found { token, section }))
}

/// The token in the outermost claims section, or nothing if the file is unsigned. Sections of nested parts do not count:
/// they speak for those parts.
///
/// # Errors
/// Any [`SectionError`].
pub fn extract_token(wasm: &[u8]) -> Result<Option<&str>, SectionError> {
    Ok(find_claims(wasm)?.map(|found| found.token))
}

/// The stripped file with one claims section at its end.
///
/// # Errors
/// As [`strip_claims`], and `NotAToken` for a token that [`extract_token`] would not read again.
pub fn embed_token(wasm: &[u8], token: &str) -> Result<Vec<u8>, SectionError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(SectionError::NotAToken { reason: "it is too long" });
    }
    let mut signed = strip_claims(wasm)?;
    let (name_len, name_len_used) = leb128(SECTION.len());
    let content = name_len_used + SECTION.len() + token.len();
    let (len, len_used) = leb128(content);
    signed.push(0);
    signed.extend_from_slice(&len[..len_used]);
    signed.extend_from_slice(&name_len[..name_len_used]);
    signed.extend_from_slice(SECTION.as_bytes());
    signed.extend_from_slice(token.as_bytes());
    if signed.len() > WASM_BYTES_MAX {
        return Err(SectionError::TooLarge { bytes: signed.len() });
    }
    Ok(signed)
}
