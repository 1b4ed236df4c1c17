//! Calls of any function that an actor exports, with values as WAVE text: what an operator calls by hand.
//!
//! The text is read by the types of the function's parameters before anything runs, so a call that makes no sense costs no
//! permit. Each call gets a fresh instance under the same limits as any other.

use lattice_contracts::CallContext;
use lattice_core::{CallError, ErrorCode};
use wasmtime::component::{Component, ComponentExportIndex, Val, wasm_wave};

use crate::{
    actor::{Actor, Inner, NotEntered},
    exports::{self, Found},
    failure::Failure,
    function::Plan,
    stats::Outcome,
    wave,
};

/// The longest text of all arguments together, and of a result, in bytes.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// The longest name that is looked for, in bytes: refusals repeat it.
const NAME_BYTES_MAX: usize = 1024;

/// A call that makes sense: the function, and its arguments as values.
pub(crate) struct Asked {
    pub(crate) name: String,
    index: ComponentExportIndex,
    pub(crate) args: Vec<Val>,
    gives: bool,
}

impl Actor {
    /// The functions it exports that can be called by hand, as `demo:calls/math@0.1.0.add: func(a: u32, b: u32) -> u32`.
    #[must_use]
    pub fn functions(&self) -> Vec<String> {
        exports::list(self.inner.linked.component())
    }

    /// Calls `function` (`namespace:package/interface[@version].function`, or the name of one at the root) with one WAVE text
    /// for each parameter, and gives what it returns as WAVE text; `None` where it returns nothing.
    ///
    /// # Errors
    /// [`ErrorCode::Protocol`] if there is no such function, or an argument is none of its type; nothing was run then.
    /// [`ErrorCode::TooLarge`] if arguments or result are longer than 256 KiB. Else as any call of the actor.
    ///
    /// # Cancellation
    /// Dropping the future ends the guest.
    pub async fn call_wave(
        &self,
        call: CallContext,
        function: &str,
        args: &[String],
    ) -> Result<Option<String>, CallError> {
        let inner = &self.inner;
        let asked = Asked::new(inner.linked.component(), function, args).map_err(|(code, reason)| {
            inner.counters.count(Outcome::Failed);
            Failure::new(inner.id(), Outcome::Failed, code, reason).error
        })?;
        let ticket = self.enter(&call).await.map_err(NotEntered::into_error)?;
        let Asked { name, index, args, gives } = &asked;
        let plan = Plan { name, index: *index, params: args, gives: *gives };
        let answered = ticket.run(call, plan).await;
        let text = answered.and_then(|value| value.map(|value| inner.text(name, &value)).transpose());
        text.map_err(|failure| failure.error)
    }
}

impl Inner {
    fn text(&self, function: &str, value: &Val) -> Result<String, Failure> {
        let mut text = Bounded(String::new());
        match wasm_wave::writer::Writer::new(&mut text).write_value(value) {
            Ok(()) => Ok(text.0),
            Err(error) => {
                let (code, reason) = if text.0.len() > TEXT_BYTES_MAX {
                    let reason =
                        format!("the result of {function} is longer than {TEXT_BYTES_MAX} bytes as text");
                    (ErrorCode::TooLarge, reason)
                } else {
                    (ErrorCode::Protocol, format!("the result of {function} cannot be written: {error}"))
                };
                Err(Failure::new(self.id(), Outcome::Failed, code, reason))
            }
        }
    }
}

/// A text that takes no more once it is too long.
struct Bounded(String);

impl std::fmt::Write for Bounded {
    fn write_str(&mut self, piece: &str) -> std::fmt::Result {
        if self.0.len() > TEXT_BYTES_MAX {
            return Err(std::fmt::Error);
        }
        self.0.push_str(piece);
        if self.0.len() > TEXT_BYTES_MAX { Err(std::fmt::Error) } else { Ok(()) }
    }
}

/// The kind of refusal, and its reason.
type Misfit = (ErrorCode, String);

impl Asked {
    /// Reads a stranger's name and texts.
    pub(crate) fn new(component: &Component, function: &str, args: &[String]) -> Result<Self, Misfit> {
        let protocol = |reason: String| (ErrorCode::Protocol, reason);
        if function.len() > NAME_BYTES_MAX {
            return Err(protocol(format!("no function has a name of {} bytes", function.len())));
        }
        let Found { name, index, ty } = exports::find(component, function).map_err(protocol)?;
        let bytes: usize = args.iter().map(String::len).sum();
        if bytes > TEXT_BYTES_MAX {
            let reason =
                format!("the arguments are {bytes} bytes of text; at most {TEXT_BYTES_MAX} are taken");
            return Err((ErrorCode::TooLarge, reason));
        }
        if let Some((what, kind)) = exports::inexpressible(&ty) {
            return Err(protocol(format!(
                "{name} cannot be called by hand: its {what} is or holds a {kind}, which cannot be written as text"
            )));
        }
        let args = wave::values(&name, &ty, args).map_err(protocol)?;
        Ok(Self { name, index, args, gives: ty.results().len() > 0 })
    }
}
