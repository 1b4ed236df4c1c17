//! The bytes as they stand on the wire, and that what is written is read back, whatever it is.

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1024 * 1024;

fn written(write: impl FnOnce(&mut Encoder)) -> Vec<u8> {
    let mut encoder = Encoder::new(LIMIT);
    write(&mut encoder);
    encoder.finish().unwrap()
}

fn decoder(bytes: &[u8]) -> Decoder<'_> {
    Decoder::new(bytes, DecodeLimits::default()).unwrap()
}

#[test]
fn the_bytes_of_each_type() {
    let check = |bytes: &[u8], write: fn(&mut Encoder)| assert_eq!(written(write), bytes);
    check(b"\x00\x01", |e| [false, true].into_iter().for_each(|v| e.bool(v)));
    check(b"\xff\x80", |e| (e.u8(255), e.s8(-128)).0);
    check(b"\x7f\x80\x01\xff\xff\x03", |e| [127, 128, u16::MAX].into_iter().for_each(|v| e.u16(v)));
    check(b"\xe5\x8e\x26\xff\xff\xff\xff\x0f", |e| [624_485, u32::MAX].into_iter().for_each(|v| e.u32(v)));
    check(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", |e| e.u64(u64::MAX));
    check(b"\x3f\xc0\x00\x40\xbf\x7f", |e| [63, 64, -64, -65].into_iter().for_each(|v| e.s16(v)));
    check(b"\xc0\xbb\x78\x80\x80\x80\x80\x78", |e| [-123_456, i32::MIN].into_iter().for_each(|v| e.s32(v)));
    check(b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f", |e| e.s64(i64::MIN));
    check(b"\x00\x00\x80\x3f\x00\x00\xc0\x7f", |e| [1.0, -f32::NAN].into_iter().for_each(|v| e.f32(v)));
    check(b"\x00\x00\x00\x00\x00\x00\xf0\xbf", |e| e.f64(-1.0));
    check("a\u{20ac}\u{10ffff}".as_bytes(), |e| "a\u{20ac}\u{10ffff}".chars().for_each(|v| e.char(v)));
    check(b"\x03abc\x00", |e| ["abc", ""].into_iter().for_each(|v| e.str(v)));
    check(b"\x02\x07\x08", |e| e.bytes(&[7, 8]));
    check(b"\x02\x01\x2a\x00", |e| {
        e.list(2);
        e.option(true);
        e.u32(42);
        e.option(false);
    });
    check(b"\x00\x01", |e| [true, false].into_iter().for_each(|v| e.result(v)));
    check(b"\x00\x80\x02", |e| [0, 256].into_iter().for_each(|v| e.case(v)));
    check(b"\x03\x00\x01\x02\x04test\x00\x00", |e| {
        e.frame(&[0, 1, 2], b"test");
        e.frame(&[], b"");
    });
}

#[test]
fn what_is_over_the_limit_is_not_written() {
    let mut encoder = Encoder::new(4);
    encoder.str("abc");
    assert!(!encoder.is_over());
    encoder.str("d");
    assert!(encoder.is_over() && encoder.len() == 4);
    assert_eq!(encoder.finish(), Err(EncodeError::TooLarge { limit: 4 }));
    let mut small = Encoder::new(1);
    small.u32(128);
    assert!(small.is_empty() && small.finish().is_err());
}

#[test]
fn lengths_that_are_not_there_cost_nothing() {
    let four_gib = b"\xff\xff\xff\xff\x0f\x01\x02";
    assert_eq!(decoder(four_gib).list(), Err(DecodeError::Truncated));
    assert_eq!(decoder(four_gib).bytes(), Err(DecodeError::Truncated));
    assert_eq!(decoder(four_gib).str(), Err(DecodeError::Truncated));
    assert_eq!(decoder(b"\xff\xff\xff\xff\x1f").list(), Err(DecodeError::Integer { bits: 32 }));
    assert_eq!(decoder(b"\x80\x80\x80\x80\x80\x00").u32(), Err(DecodeError::Integer { bits: 32 }));
    assert_eq!(decoder(b"\xff\xff\x07").s16(), Err(DecodeError::Integer { bits: 16 }));
    assert_eq!(decoder(b"\xff\xff\x7f").s16(), Ok(-1), "a sign may be written at length");
}

#[test]
fn what_no_encoder_writes_is_refused() {
    assert_eq!(decoder(b"\x02").bool(), Err(DecodeError::Tag { what: "bool", byte: 2 }));
    assert_eq!(decoder(b"\xff").option(), Err(DecodeError::Tag { what: "option", byte: 255 }));
    assert_eq!(decoder(b"\x02\xff\xfe").str(), Err(DecodeError::Utf8 { what: "string" }));
    assert_eq!(decoder(b"\xed\xa0\x80").char(), Err(DecodeError::Utf8 { what: "char" }), "a surrogate");
    assert_eq!(decoder(b"\xe2\x82").char(), Err(DecodeError::Truncated));
    assert_eq!(decoder(b"\x03").case(3), Err(DecodeError::Case { case: 3, cases: 3 }));
    assert_eq!(decoder(b"\x08").flags(3), Err(DecodeError::Flag { flags: 3 }));
    assert_eq!(decoder(b"\x07").flags(3), Ok(&[7][..]));
    assert_eq!(decoder(b"\x00").finish(), Err(DecodeError::Trailing { bytes: 1 }));
    let limits = DecodeLimits { bytes: 8, elements: 3, depth: 1 };
    assert!(Decoder::new(&[0; 9], limits).is_err());
    let mut two_lists = Decoder::new(b"\x02\x02\x00\x00", limits).unwrap();
    assert_eq!((two_lists.list(), two_lists.list()), (Ok(2), Err(DecodeError::TooMany { limit: 3 })));
    assert_eq!((two_lists.enter(), two_lists.enter()), (Ok(()), Err(DecodeError::TooDeep { limit: 1 })));
}

#[test]
fn a_frame_s_head_is_read_when_all_of_it_is_there() {
    let head = FrameHead { path: vec![0, 300], bytes: 70_000 };
    let mut bytes = FrameHead::encode(&head.path, head.bytes);
    for short in 0..bytes.len() {
        assert_eq!(FrameHead::decode(&bytes[..short], u64::MAX), Ok(None));
    }
    let length = bytes.len();
    bytes.extend(b"data");
    assert_eq!(FrameHead::decode(&bytes, 70_000), Ok(Some((head, length))));
    assert!(matches!(FrameHead::decode(&bytes, 69_999), Err(DecodeError::TooLarge { .. })));
    assert!(matches!(FrameHead::decode(b"\xff\xff\xff\xff\x0f", 1), Err(DecodeError::TooDeep { .. })));
}

/// One value of each kind of head, so that any sequence of them is a message.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Bool(bool),
    U8(u8),
    S8(i8),
    U16(u16),
    U32(u32),
    U64(u64),
    S16(i16),
    S32(i32),
    S64(i64),
    F32(u32),
    F64(u64),
    Char(char),
    Str(String),
    Bytes(Vec<u8>),
    Frame(Vec<u32>, Vec<u8>),
}

fn part() -> impl Strategy<Value = Part> {
    use proptest::collection::vec;
    prop_oneof![
        any::<bool>().prop_map(Part::Bool),
        any::<u8>().prop_map(Part::U8),
        any::<i8>().prop_map(Part::S8),
        any::<u16>().prop_map(Part::U16),
        any::<u32>().prop_map(Part::U32),
        any::<u64>().prop_map(Part::U64),
        any::<i16>().prop_map(Part::S16),
        any::<i32>().prop_map(Part::S32),
        any::<i64>().prop_map(Part::S64),
        // As bits, since NaN equals nothing; only those that are written as they are.
        any::<f32>().prop_filter_map("a number", |v| (!v.is_nan()).then(|| Part::F32(v.to_bits()))),
        any::<f64>().prop_filter_map("a number", |v| (!v.is_nan()).then(|| Part::F64(v.to_bits()))),
        any::<char>().prop_map(Part::Char),
        any::<String>().prop_map(Part::Str),
        vec(any::<u8>(), 0..300).prop_map(Part::Bytes),
        (vec(any::<u32>(), 0..4), vec(any::<u8>(), 0..300)).prop_map(|(path, data)| Part::Frame(path, data)),
    ]
}

fn write(encoder: &mut Encoder, part: &Part) {
    match part {
        Part::Bool(value) => encoder.bool(*value),
        Part::U8(value) => encoder.u8(*value),
        Part::S8(value) => encoder.s8(*value),
        Part::U16(value) => encoder.u16(*value),
        Part::U32(value) => encoder.u32(*value),
        Part::U64(value) => encoder.u64(*value),
        Part::S16(value) => encoder.s16(*value),
        Part::S32(value) => encoder.s32(*value),
        Part::S64(value) => encoder.s64(*value),
        Part::F32(bits) => encoder.f32(f32::from_bits(*bits)),
        Part::F64(bits) => encoder.f64(f64::from_bits(*bits)),
        Part::Char(value) => encoder.char(*value),
        Part::Str(value) => encoder.str(value),
        Part::Bytes(value) => encoder.bytes(value),
        Part::Frame(path, data) => encoder.frame(path, data),
    }
}

/// Reads a part of the kind that `like` is.
fn read(decoder: &mut Decoder<'_>, like: &Part) -> Result<Part, DecodeError> {
    Ok(match like {
        Part::Bool(_) => Part::Bool(decoder.bool()?),
        Part::U8(_) => Part::U8(decoder.u8()?),
        Part::S8(_) => Part::S8(decoder.s8()?),
        Part::U16(_) => Part::U16(decoder.u16()?),
        Part::U32(_) => Part::U32(decoder.u32()?),
        Part::U64(_) => Part::U64(decoder.u64()?),
        Part::S16(_) => Part::S16(decoder.s16()?),
        Part::S32(_) => Part::S32(decoder.s32()?),
        Part::S64(_) => Part::S64(decoder.s64()?),
        Part::F32(_) => Part::F32(decoder.f32()?.to_bits()),
        Part::F64(_) => Part::F64(decoder.f64()?.to_bits()),
        Part::Char(_) => Part::Char(decoder.char()?),
        Part::Str(_) => Part::Str(decoder.str()?.to_owned()),
        Part::Bytes(_) => Part::Bytes(decoder.bytes()?.to_vec()),
        Part::Frame(..) => {
            let (head, used) = FrameHead::decode(decoder.rest(), 1 << 20)?.ok_or(DecodeError::Truncated)?;
            for _ in 0..used {
                decoder.u8()?;
            }
            let data: Result<Vec<u8>, _> = (0..head.bytes).map(|_| decoder.u8()).collect();
            Part::Frame(head.path, data?)
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(parts in proptest::collection::vec(part(), 0..20)) {
        let bytes = written(|encoder| parts.iter().for_each(|part| write(encoder, part)));
        let mut decoder = decoder(&bytes);
        for part in &parts {
            prop_assert_eq!(&read(&mut decoder, part).unwrap(), part);
        }
        prop_assert_eq!(decoder.finish(), Ok(()));
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        kinds in proptest::collection::vec(part(), 1..8),
    ) {
        let mut decoder = decoder(&bytes);
        for kind in &kinds {
            if read(&mut decoder, kind).is_err() {
                break;
            }
        }
        let _ = FrameHead::decode(&bytes, 10);
    }

    #[test]
    fn a_limit_is_never_passed(limit in 0..64_usize, parts in proptest::collection::vec(part(), 0..20)) {
        let mut encoder = Encoder::new(limit);
        parts.iter().for_each(|part| write(&mut encoder, part));
        prop_assert!(encoder.len() <= limit);
        let whole = written(|encoder| parts.iter().for_each(|part| write(encoder, part)));
        prop_assert_eq!(encoder.finish().ok(), (whole.len() <= limit).then_some(whole));
    }
}
