//! The one header of every message of a call: `W: {version} {kind} {id} {field} {field} …`, as docs/protocol.md lists it.
//!
//! Unknown fields are skipped, so that later versions may add some; missing ones read as their defaults.

use std::fmt::Write as _;

use lattice_core::{InvocationId, unescape};

use crate::Version;

/// The version that is spoken here.
pub(crate) const VERSION: u32 = 1;
/// How long a `call` may take that does not say so, in milliseconds.
const TIME_LEFT_MS: u64 = 10_000;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The first piece of a request.
    Call,
    /// The first piece of a reply.
    Reply,
    /// A further piece of either.
    More,
    /// Room for further pieces.
    Credit,
    /// A sign of life, with all that the other side should know by now.
    Alive,
    /// The caller gives up.
    Cancel,
    /// The call failed.
    Error,
}

impl Kind {
    const ALL: [Kind; 7] =
        [Kind::Call, Kind::Reply, Kind::More, Kind::Credit, Kind::Alive, Kind::Cancel, Kind::Error];

    fn as_str(self) -> &'static str {
        match self {
            Kind::Call => "call",
            Kind::Reply => "reply",
            Kind::More => "more",
            Kind::Credit => "credit",
            Kind::Alive => "alive",
            Kind::Cancel => "cancel",
            Kind::Error => "error",
        }
    }
}

/// A header, borrowed from the message or from what is being sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) kind: Kind,
    pub(crate) id: InvocationId,
    /// Offset of the body's first byte; in `alive` how many bytes were sent so far.
    pub(crate) offset: u64,
    /// The body ends its stream; in `alive` the end was sent.
    pub(crate) fin: bool,
    /// The other side may send up to this offset.
    pub(crate) credit: Option<u64>,
    /// Milliseconds until the caller gives up.
    pub(crate) time_left_ms: Option<u64>,
    /// How many calls stand above this one.
    pub(crate) depth: u8,
    /// The link's name, where it is not the default one.
    pub(crate) link: Option<&'a str>,
    /// The link's version: its number, and its writer as it stands in the header.
    pub(crate) link_version: Option<(u64, &'a str)>,
    /// Another host handed the call on.
    pub(crate) handed_on: bool,
    /// The call shall be refused rather than wait.
    pub(crate) at_once: bool,
    /// Milliseconds that the call may wait for its turn, then it shall be refused.
    pub(crate) wait_ms: Option<u64>,
    /// The body is text for people.
    pub(crate) text: bool,
    /// An error's code.
    pub(crate) code: Option<&'a str>,
    /// Who failed.
    pub(crate) hop: Option<&'a str>,
    /// The call was certainly not run.
    pub(crate) not_run: bool,
}

/// Why a header cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Unreadable {
    /// The call, where at least that could be read.
    pub(crate) id: Option<InvocationId>,
    /// Whether it is the first piece of a request, which is answered.
    pub(crate) is_call: bool,
    pub(crate) why: String,
}

impl<'a> Header<'a> {
    /// A header with nothing but kind and id.
    pub(crate) fn new(kind: Kind, id: InvocationId) -> Self {
        Self {
            kind,
            id,
            offset: 0,
            fin: false,
            credit: None,
            time_left_ms: None,
            depth: 0,
            link: None,
            link_version: None,
            handed_on: false,
            at_once: false,
            wait_ms: None,
            text: false,
            code: None,
            hop: None,
            not_run: false,
        }
    }

    /// The milliseconds left to a call, also where it does not say.
    pub(crate) fn time_left_or_default(&self) -> u64 {
        self.time_left_ms.unwrap_or(TIME_LEFT_MS)
    }

    /// The link's version, if it was given and reads.
    pub(crate) fn version(&self) -> Option<Version> {
        let (number, writer) = self.link_version?;
        Some(Version { number, writer: unescape(writer)? })
    }

    /// Writes it.
    pub(crate) fn encode(&self) -> String {
        let mut out = String::with_capacity(160);
        push_number(&mut out, u64::from(VERSION));
        out.push(' ');
        out.push_str(self.kind.as_str());
        out.push(' ');
        push_id(&mut out, self.id);
        let numbers = [
            ('o', Some(self.offset).filter(|n| *n > 0)),
            ('c', self.credit),
            ('t', self.time_left_ms),
            ('w', self.wait_ms),
            ('d', Some(u64::from(self.depth)).filter(|n| *n > 0)),
        ];
        for (field, number) in numbers {
            if let Some(number) = number {
                push_field(&mut out, field);
                push_number(&mut out, number);
            }
        }
        for (field, text) in [('l', self.link), ('e', self.code), ('p', self.hop)] {
            if let Some(text) = text {
                push_field(&mut out, field);
                out.push_str(text);
            }
        }
        if let Some((number, writer)) = self.link_version {
            push_field(&mut out, 'v');
            push_number(&mut out, number);
            out.push(':');
            out.push_str(writer);
        }
        let flags = [
            ('f', self.fin),
            ('h', self.handed_on),
            ('b', self.at_once),
            ('x', self.text),
            ('n', self.not_run),
        ];
        for (field, set) in flags {
            if set {
                push_field(&mut out, field);
            }
        }
        out
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Unreadable`] for another version, an unknown kind, or a field of ours that does not read.
    pub(crate) fn decode(text: &'a str) -> Result<Self, Unreadable> {
        let mut tokens = text.split(' ').filter(|token| !token.is_empty());
        let (version, kind, id) = (tokens.next(), tokens.next(), tokens.next());
        let id = id.and_then(read_id);
        let kind = kind.unwrap_or_default();
        let fail = |why: String| Unreadable { id, is_call: kind == Kind::Call.as_str(), why };
        match version.map(str::parse::<u32>) {
            Some(Ok(VERSION)) => {}
            Some(Ok(other)) => {
                let why = format!("the call protocol's version {other} is not spoken here, but {VERSION}");
                return Err(fail(why));
            }
            _ => return Err(fail("the header W has no version".to_owned())),
        }
        let known = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
        let known = known.ok_or_else(|| fail(format!("unknown kind of message {kind:?}")))?;
        let id = id.ok_or_else(|| fail("the header W has no id".to_owned()))?;
        let mut header = Self::new(known, id);
        for token in tokens {
            header.read_field(token).ok_or_else(|| fail(format!("the field {token:?} does not read")))?;
        }
        Ok(header)
    }

    fn read_field(&mut self, token: &'a str) -> Option<()> {
        let mut chars = token.chars();
        let field = chars.next()?;
        let value = chars.as_str();
        match field {
            'o' => self.offset = value.parse().ok()?,
            'c' => self.credit = Some(value.parse().ok()?),
            't' => self.time_left_ms = Some(value.parse().ok()?),
            'd' => self.depth = value.parse().ok()?,
            'w' => self.wait_ms = Some(value.parse().ok()?),
            'l' => self.link = Some(value),
            'e' => self.code = Some(value),
            'p' => self.hop = Some(value),
            'v' => {
                let (number, writer) = value.split_once(':')?;
                self.link_version = Some((number.parse().ok()?, writer));
            }
            'f' => self.fin = true,
            'h' => self.handed_on = true,
            'b' => self.at_once = true,
            'x' => self.text = true,
            'n' => self.not_run = true,
            _ => {}
        }
        Some(())
    }
}

fn push_field(out: &mut String, field: char) {
    out.push(' ');
    out.push(field);
}

fn push_number(out: &mut String, number: u64) {
    write!(out, "{number}").expect("writing to a String cannot fail");
}

/// As `{:032x}`, without the formatting machinery: it is written with every message.
fn push_id(out: &mut String, id: InvocationId) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in id.bits().to_be_bytes() {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

fn read_id(text: &str) -> Option<InvocationId> {
    if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(InvocationId::from_bits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> InvocationId {
        InvocationId::from_bits(0x5f0e_4a8d_3c2b_1907_0000_0000_0000_0001)
    }

    #[test]
    fn what_is_missing_and_what_is_unknown() {
        let bare = Header::decode("1 call 5f0e4a8d3c2b19070000000000000001").unwrap();
        assert_eq!(bare, Header::new(Kind::Call, id()));
        assert_eq!(bare.time_left_or_default(), 10_000);
        let later = "1 call 5f0e4a8d3c2b19070000000000000001 zlater Z f t5 ä";
        let expected = Header { fin: true, time_left_ms: Some(5), ..bare };
        assert_eq!(Header::decode(later), Ok(expected));
    }

    #[test]
    fn what_does_not_read_says_why_and_whose_call_it_is() {
        let read = |text| Header::decode(text).map_err(|error| (error.is_call, error.id, error.why));
        let newer = read("2 call 5f0e4a8d3c2b19070000000000000001 q").unwrap_err();
        assert_eq!((newer.0, newer.1), (true, Some(id())));
        assert_eq!(newer.2, "the call protocol's version 2 is not spoken here, but 1");
        let kind = read("1 sing 5f0e4a8d3c2b19070000000000000001").unwrap_err();
        assert_eq!((kind.0, kind.2.as_str()), (false, "unknown kind of message \"sing\""));
        assert_eq!(read("1 call 5f").unwrap_err().1, None);
        assert_eq!(
            read("1 more 5f0e4a8d3c2b19070000000000000001 o-1").unwrap_err().2,
            "the field \"o-1\" does not read"
        );
        assert!(read("").is_err());
        assert!(read("1 reply +f0e4a8d3c2b19070000000000000001").is_err());
    }

    fn headers() -> impl Strategy<Value = (Header<'static>, String, String)> {
        let numbers = (any::<u64>(), proptest::option::of(any::<u64>()), proptest::option::of(any::<u64>()));
        let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<u8>());
        let version = proptest::option::of(any::<u64>());
        let parts = (0..7usize, any::<u128>(), numbers, flags, version, "[a-z0-9_-]{1,20}", ".{0,20}");
        parts.prop_map(
            |(
                kind,
                id,
                (offset, credit, time),
                (fin, handed_on, text, not_run, depth),
                number,
                name,
                writer,
            )| {
                let header = Header {
                    offset,
                    fin,
                    credit,
                    time_left_ms: time,
                    wait_ms: time.filter(|ms| ms % 2 == 0),
                    depth,
                    handed_on,
                    at_once: handed_on != text,
                    text,
                    not_run,
                    link_version: number.map(|number| (number, "")),
                    ..Header::new(Kind::ALL[kind], InvocationId::from_bits(id))
                };
                (header, name, writer)
            },
        )
    }

    proptest! {
        #[test]
        fn every_header_reads_back((header, name, writer) in headers()) {
            let escaped = lattice_core::escape_token(&writer);
            let header = Header {
                link: Some(&name),
                code: Some(&name),
                hop: Some(&name),
                link_version: header.link_version.map(|(number, _)| (number, escaped.as_str())),
                ..header
            };
            let text = header.encode();
            let back = Header::decode(&text).unwrap();
            prop_assert_eq!(&back, &header);
            let version = header.link_version.map(|(number, _)| Version { number, writer: writer.clone() });
            prop_assert_eq!(back.version(), version);
            // What a NATS header may hold.
            prop_assert!(!text.contains(['\r', '\n']));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,120}") {
            let _ = Header::decode(&text);
            let _ = Header::decode(&format!("1 more 5f0e4a8d3c2b19070000000000000001 {text}"));
        }
    }
}
