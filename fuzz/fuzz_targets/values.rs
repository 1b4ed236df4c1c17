//! Component-model values in the encoding of wRPC: a byte that counts, as many bytes that name types, and the values' bytes.
#![no_main]

use lattice_core::encoding::{DecodeError, DecodeLimits, Decoder, Encoder, FrameHead};
use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 256, read));

/// Elements of all lists, at most.
const ELEMENTS: usize = 512;
const LIMITS: DecodeLimits = DecodeLimits { bytes: 1 << 20, elements: ELEMENTS, depth: 8 };

/// A value, or the head of one; floats as their bits.
#[derive(Debug, Clone, PartialEq)]
enum Item<'a> {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(u64),
    Char(char),
    Text(&'a str),
    Bytes(&'a [u8]),
    List(usize),
    Flags(&'a [u8]),
}

fn read(data: &[u8]) {
    frame_head(data);
    let Some((count, rest)) = data.split_first() else { return };
    let (types, bytes) = rest.split_at(rest.len().min(usize::from(*count)));
    let Ok(mut decoder) = Decoder::new(bytes, LIMITS) else { return };
    let mut items = Vec::new();
    for what in types {
        match item(&mut decoder, *what) {
            Ok(item) => items.push((*what, item)),
            Err(_) => break,
        }
    }
    let listed: usize =
        items.iter().map(|(_, item)| if let Item::List(count) = item { *count } else { 0 }).sum();
    assert!(listed <= ELEMENTS, "lists keep to their limit");
    same_again(&items);
}

fn item<'a>(decoder: &mut Decoder<'a>, what: u8) -> Result<Item<'a>, DecodeError> {
    Ok(match what % 20 {
        0 => Item::Bool(decoder.bool()?),
        1 => Item::Unsigned(decoder.u8()?.into()),
        2 => Item::Unsigned(decoder.u16()?.into()),
        3 => Item::Unsigned(decoder.u32()?.into()),
        4 => Item::Unsigned(decoder.u64()?),
        5 => Item::Signed(decoder.s8()?.into()),
        6 => Item::Signed(decoder.s16()?.into()),
        7 => Item::Signed(decoder.s32()?.into()),
        8 => Item::Signed(decoder.s64()?),
        9 => Item::Float(float_bits(decoder.f32()?.into())),
        10 => Item::Float(float_bits(decoder.f64()?)),
        11 => Item::Char(decoder.char()?),
        12 => Item::Text(decoder.str()?),
        13 => Item::Bytes(decoder.bytes()?),
        14 => list(decoder)?,
        15 => Item::Bool(decoder.option()?),
        16 => Item::Bool(decoder.result()?),
        17 => Item::Unsigned(decoder.case(300)?.into()),
        18 => Item::Flags(decoder.flags(usize::from(what))?),
        _ => {
            decoder.enter()?;
            Item::Bool(decoder.is_ready()?)
        }
    })
}

fn list<'a>(decoder: &mut Decoder<'a>) -> Result<Item<'a>, DecodeError> {
    let count = decoder.list()?;
    assert!(count <= decoder.rest().len(), "room is made for what can be there alone");
    Ok(Item::List(count))
}

/// Every NaN is the same.
fn float_bits(float: f64) -> u64 {
    if float.is_nan() { f64::NAN.to_bits() } else { float.to_bits() }
}

/// What was read is written as what reads the same.
fn same_again(items: &[(u8, Item<'_>)]) {
    let mut encoder = Encoder::new(1 << 20);
    for (what, item) in items {
        put(&mut encoder, *what, item);
    }
    // Lists may promise as many elements as bytes follow.
    let written = encoder.finish().expect("there is room");
    let padded = [&written[..], &[0; ELEMENTS]].concat();
    let mut decoder = Decoder::new(&padded, LIMITS).expect("it is short");
    for (what, item) in items {
        assert_eq!(self::item(&mut decoder, *what).as_ref(), Ok(item), "type {}", what % 20);
    }
    assert_eq!(decoder.rest().len(), ELEMENTS, "and nothing more");
}

fn put(encoder: &mut Encoder, what: u8, item: &Item<'_>) {
    match (what % 20, item) {
        (1, Item::Unsigned(value)) => encoder.u8(*value as u8),
        (5, Item::Signed(value)) => encoder.s8(*value as i8),
        (9, Item::Float(bits)) => encoder.f32(f64::from_bits(*bits) as f32),
        (16, Item::Bool(value)) => encoder.result(*value),
        (_, Item::Bool(value)) => encoder.bool(*value),
        (_, Item::Unsigned(value)) => encoder.u64(*value),
        (_, Item::Signed(value)) => encoder.s64(*value),
        (_, Item::Float(bits)) => encoder.f64(f64::from_bits(*bits)),
        (_, Item::Char(value)) => encoder.char(*value),
        (_, Item::Text(value)) => encoder.str(value),
        (_, Item::Bytes(value)) => encoder.bytes(value),
        (_, Item::List(count)) => encoder.list(*count),
        (_, Item::Flags(bits)) => encoder.flags(bits),
    }
}

fn frame_head(data: &[u8]) {
    let Ok(Some((head, used))) = FrameHead::decode(data, 1 << 20) else { return };
    assert!(used <= data.len() && head.bytes <= 1 << 20);
    let written = FrameHead::encode(&head.path, head.bytes);
    assert_eq!(FrameHead::decode(&written, 1 << 20), Ok(Some((head, written.len()))));
}
