//! What a guest prints and logs, as lines with actor and invocation, bounded.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use lattice_contracts::{
    CallContext,
    logging::{Level, LogRecord, Stream},
};
use lattice_core::{InvocationId, TraceParent, one_line};
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use crate::guest::{GuestKit, Watch};

/// The longest line, in bytes; longer ones are cut into several.
pub(crate) const LINE_BYTES_MAX: usize = 8 * 1024;
/// What one invocation may print and log, in bytes; the rest is counted and dropped.
pub(crate) const INVOCATION_BYTES_MAX: usize = 256 * 1024;
/// What a line or record counts at least, in bytes: without it, empty ones would come without end.
const LINE_COST_MIN: usize = 64;
/// What a guest may write to its output at once, in bytes.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// A store's output; its streams share it.
pub(crate) struct Output {
    kit: Arc<GuestKit>,
    lines: Mutex<Lines>,
}

struct Lines {
    invocation: InvocationId,
    trace: Option<TraceParent>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    left: usize,
    dropped: u64,
}

impl Output {
    /// The output of a store that serves `call` first.
    pub(crate) fn new(kit: Arc<GuestKit>, call: &CallContext) -> Self {
        let (invocation, trace) = (call.id, call.trace);
        let (stdout, stderr, left) = (Vec::new(), Vec::new(), INVOCATION_BYTES_MAX);
        Self { kit, lines: Mutex::new(Lines { invocation, trace, stdout, stderr, left, dropped: 0 }) }
    }

    /// What the store is made with.
    pub(crate) fn kit(&self) -> &GuestKit {
        &self.kit
    }

    /// Says what is left of the last invocation, and begins that of `call`.
    pub(crate) fn begin(&self, call: &CallContext) {
        let mut lines = self.lock();
        lines.finish(&self.kit);
        (lines.invocation, lines.trace) = (call.id, call.trace);
    }

    /// Says unfinished lines, and how much was dropped.
    pub(crate) fn finish(&self) {
        self.lock().finish(&self.kit);
    }

    /// Takes a record of `wasi:logging`, or of the runtime's own.
    pub(crate) fn log(&self, level: Level, context: &str, message: &str) {
        let mut lines = self.lock();
        let cost = context.len().saturating_add(message.len()).max(LINE_COST_MIN);
        if cost > lines.left {
            lines.dropped += cost as u64;
            return;
        }
        lines.left -= cost;
        lines.say(&self.kit, Stream::Logging, level, &escape(context), escape(message));
    }

    fn print(&self, stream: Stream, bytes: &[u8]) {
        self.lock().print(&self.kit, stream, bytes);
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn say(&self, kit: &GuestKit, stream: Stream, level: Level, context: &str, message: String) {
        let (actor, context) = (kit.spec.id.clone(), context.to_owned());
        let (invocation, trace) = (self.invocation, self.trace);
        kit.dispatch.log(LogRecord { actor, invocation, trace, stream, level, context, message });
    }

    fn print(&mut self, kit: &GuestKit, stream: Stream, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut piece = piece;
            while !piece.is_empty() {
                let left = self.left;
                if left == 0 {
                    self.dropped += piece.len() as u64;
                    break;
                }
                let line = self.line(stream);
                let (head, rest) = piece.split_at(piece.len().min(LINE_BYTES_MAX - line.len()).min(left));
                line.extend_from_slice(head);
                let ends = line.ends_with(b"\n") || line.len() == LINE_BYTES_MAX;
                self.left -= head.len();
                if ends {
                    self.end_line(kit, stream);
                }
                piece = rest;
            }
        }
    }

    fn line(&mut self, stream: Stream) -> &mut Vec<u8> {
        if stream == Stream::Stderr { &mut self.stderr } else { &mut self.stdout }
    }

    fn end_line(&mut self, kit: &GuestKit, stream: Stream) {
        let line = std::mem::take(self.line(stream));
        self.left = self.left.saturating_sub(LINE_COST_MIN.saturating_sub(line.len()));
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.say(kit, stream, Level::Info, "", escape(&String::from_utf8_lossy(line)));
    }

    fn finish(&mut self, kit: &GuestKit) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.line(stream).is_empty() {
                self.end_line(kit, stream);
            }
        }
        if self.dropped > 0 {
            let dropped = std::mem::take(&mut self.dropped);
            let message = format!(
                "dropped {dropped} bytes of output: one invocation may print and log {INVOCATION_BYTES_MAX} bytes, \
                 where a line counts as {LINE_COST_MIN} at least"
            );
            self.say(kit, Stream::Stderr, Level::Warn, "", message);
        }
        self.left = INVOCATION_BYTES_MAX;
    }
}

/// Escapes control characters, which a log or a terminal might obey, and cuts at the line limit.
fn escape(text: &str) -> String {
    // Cut first: what is far too long is not written out as a whole.
    let head = &text[..text.floor_char_boundary(LINE_BYTES_MAX)];
    let mut line = one_line(head).into_owned();
    if head.len() < text.len() || line.len() > LINE_BYTES_MAX {
        line.truncate(line.floor_char_boundary(LINE_BYTES_MAX - '…'.len_utf8()));
        line.push('…');
    }
    line
}

/// Standard output or standard error of one store.
#[derive(Clone)]
pub(crate) struct Pipe {
    watch: Arc<Watch>,
    stream: Stream,
}

impl Pipe {
    pub(crate) fn new(watch: Arc<Watch>, stream: Stream) -> Self {
        Self { watch, stream }
    }

    fn print(&self, bytes: &[u8]) {
        self.watch.output.print(self.stream, bytes);
    }
}

impl IsTerminal for Pipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Pipe {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Pipe {
    async fn ready(&mut self) {}
}

impl OutputStream for Pipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.print(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lattice_contracts::{CallContext, http::Outgoing, keyvalue::Keyvalue};
    use lattice_core::{ActorId, CallError, ErrorCode, Hop, LinkName};

    use super::*;
    use crate::{
        ActorSpec, Bound, Dispatch, Function, Interface, budget::Budget, pool::House, ticker::Ticks,
    };

    #[derive(Default)]
    struct Heard(Mutex<Vec<(Stream, String)>>);

    impl Dispatch for Heard {
        fn keyvalue(
            &self,
            _: &CallContext,
            _: &LinkName,
            _: &'static str,
        ) -> Result<Bound<dyn Keyvalue>, CallError> {
            Err(CallError::new(Hop::Actor(actor()), ErrorCode::NoLink, "none"))
        }

        fn http_outgoing(&self, _: &CallContext, _: &LinkName) -> Result<Bound<dyn Outgoing>, CallError> {
            Err(CallError::new(Hop::Actor(actor()), ErrorCode::NoLink, "none"))
        }

        fn function(
            &self,
            _: &CallContext,
            _: &LinkName,
            _: &Interface,
            _: &str,
        ) -> Result<Bound<dyn Function>, CallError> {
            Err(CallError::new(Hop::Actor(actor()), ErrorCode::NoLink, "none"))
        }

        fn is_linked(&self, _: &Interface) -> bool {
            false
        }

        fn config(&self) -> Arc<BTreeMap<String, String>> {
            Arc::default()
        }

        fn secret(&self, _: &str) -> Result<lattice_core::Secret, crate::NoSecret> {
            Err(crate::NoSecret::NotFound)
        }

        fn log(&self, record: LogRecord) {
            self.0.lock().unwrap().push((record.stream, record.message));
        }
    }

    fn actor() -> ActorId {
        ActorId::new("a").unwrap()
    }

    fn output(world: &Arc<Heard>) -> Output {
        let (spec, house) = (ActorSpec::new(actor()), House::new(1));
        let budget = Arc::new(Budget::new(0, house.clone()));
        let limits = spec.limits.clone();
        let kit = GuestKit { spec, limits, dispatch: world.clone(), budget, house, ticks: Ticks::default() };
        let call = CallContext {
            id: InvocationId::from_bits(1),
            source: "test".parse().unwrap(),
            target: "a".parse().unwrap(),
            link: lattice_core::LinkName::default(),
            deadline: tokio::time::Instant::now(),
            depth: 0,
            trace: None,
        };
        Output::new(Arc::new(kit), &call)
    }

    /// What is heard when these pieces are printed, and the call ends.
    fn heard(pieces: &[(Stream, &[u8])]) -> Vec<(Stream, String)> {
        let heard = Arc::new(Heard::default());
        let output = output(&heard);
        for (stream, bytes) in pieces {
            output.print(*stream, bytes);
        }
        output.finish();
        std::mem::take(&mut heard.0.lock().unwrap())
    }

    #[test]
    fn bytes_become_lines() {
        let (out, err) = (Stream::Stdout, Stream::Stderr);
        let line = |stream, text: &str| (stream, text.to_owned());
        assert_eq!(
            heard(&[(out, b"a\nb"), (err, b"e\r\n"), (out, b"c\n\n")]),
            [line(out, "a"), line(err, "e"), line(out, "bc"), line(out, ""),]
        );
        assert_eq!(heard(&[(out, b"no end")]), [line(out, "no end")]);
        assert_eq!(
            heard(&[(out, b"\x1b[2J\x07\ttab \xff\n")]),
            [line(out, "\\u{1b}[2J\\u{7}\ttab \u{fffd}")]
        );
    }

    #[test]
    fn long_lines_are_cut_and_long_output_is_counted() {
        let lines = heard(&[(Stream::Stdout, &vec![b'x'; LINE_BYTES_MAX * 2 + 5])]);
        let lengths: Vec<usize> = lines.iter().map(|(_, line)| line.len()).collect();
        assert_eq!(lengths, [LINE_BYTES_MAX, LINE_BYTES_MAX, 5]);
        let lines = heard(&[(Stream::Stdout, &vec![b'x'; INVOCATION_BYTES_MAX + 7])]);
        assert_eq!(lines.len(), INVOCATION_BYTES_MAX / LINE_BYTES_MAX + 1);
        assert!(lines.last().is_some_and(|(_, line)| line.starts_with("dropped 7 bytes")));
        let escaped = heard(&[(Stream::Stdout, &[1; LINE_BYTES_MAX])]);
        assert!(escaped[0].1.len() <= LINE_BYTES_MAX);
    }

    #[test]
    fn empty_lines_and_records_come_to_an_end() {
        let most = INVOCATION_BYTES_MAX / LINE_COST_MIN;
        let dropped = |lines: &[(Stream, String)]| lines.last().map(|(_, line)| line.starts_with("dropped "));
        let lines = heard(&[(Stream::Stdout, &vec![b'\n'; INVOCATION_BYTES_MAX])]);
        assert_eq!((lines.len(), dropped(&lines)), (most + 1, Some(true)));
        let world = Arc::new(Heard::default());
        let output = output(&world);
        for _ in 0..3 * most {
            output.log(Level::Info, "", "");
        }
        output.finish();
        let lines = std::mem::take(&mut *world.0.lock().unwrap());
        assert_eq!((lines.len(), dropped(&lines)), (most + 1, Some(true)));
    }
}
