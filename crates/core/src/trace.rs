//! The trace that a call belongs to, where somebody watches it: W3C trace context, as the header `traceparent` carries it.

use std::fmt;

/// The header by which traces travel, over HTTP and over NATS.
pub const TRACEPARENT: &str = "traceparent";

/// The flag that says that the trace is watched.
const SAMPLED: u8 = 1;
/// The flags that are known, and so travel on: sampled, and that the id is random.
const KNOWN_FLAGS: u8 = 3;

/// A trace that is sampled. Hosts report no spans of their own, so they pass it on as it came: what an actor calls appears
/// under whatever called the actor.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace: [u8; 16],
    parent: [u8; 8],
    flags: u8,
}

impl TraceParent {
    /// The length of its text, in bytes.
    pub const LEN: usize = 55;

    /// Reads the value of a header. None where the trace is not sampled, and where the value does not read: a trace that
    /// cannot be followed is not begun anew.
    #[must_use]
    pub fn sampled(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let ([version], [flags]) = (hex(version)?, hex(flags)?);
        // Later versions may have more behind these fields; version 255 is none.
        if version == u8::MAX || version == 0 && parts.next().is_some() {
            return None;
        }
        let (trace, parent) = (hex(trace)?, hex(parent)?);
        let is_sampled = flags & SAMPLED != 0 && trace != [0; 16] && parent != [0; 8];
        is_sampled.then_some(Self { trace, parent, flags: flags & KNOWN_FLAGS })
    }

    /// The id of the whole trace, as tools show it: 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> impl fmt::Display + use<> {
        Hex(self.trace)
    }
}

/// As the header has it.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", Hex(self.trace), Hex(self.parent), self.flags)
    }
}
impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

struct Hex<const N: usize>([u8; N]);

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Exactly so many bytes in lower-case hex digits, as the standard asks for.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_sampled_trace_reads_and_is_written_as_it_came() {
        let trace = TraceParent::sampled(TRACE).unwrap();
        assert_eq!((trace.to_string().as_str(), TRACE.len()), (TRACE, TraceParent::LEN));
        assert_eq!(trace.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let random = TRACE.replace("-01", "-03");
        assert_eq!(TraceParent::sampled(&random).unwrap().to_string(), random);
        // What later versions add is not ours to pass on.
        let later = TRACE.replacen("00-", "cc-", 1).replace("-01", "-f1-more-and-more");
        assert_eq!(TraceParent::sampled(&later), Some(trace));
    }

    #[test]
    fn one_that_is_not_sampled_or_does_not_read_is_none() {
        let zeros = "0".repeat(32);
        for text in [
            "".to_owned(),
            "00".to_owned(),
            TRACE.replace("-01", "-00"),
            TRACE.replace("-01", "-02"),
            TRACE.replace("-01", ""),
            TRACE.replace("-01", "-1"),
            TRACE.replace("-01", "-01-"),
            TRACE.replace("-01", "-01 "),
            TRACE.replacen("00-", "ff-", 1),
            TRACE.replacen("00-", "0-", 1),
            TRACE.to_uppercase(),
            TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", &zeros),
            TRACE.replace("00f067aa0ba902b7", &zeros[..16]),
            TRACE.replace("4bf9", "+bf9"),
            TRACE.replace("4bf9", "äf9"),
        ] {
            assert_eq!(TraceParent::sampled(&text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            if let Some(trace) = TraceParent::sampled(&text) {
                prop_assert_eq!(TraceParent::sampled(&trace.to_string()), Some(trace));
            }
        }
    }
}
