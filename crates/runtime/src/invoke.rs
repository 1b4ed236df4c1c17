//! Calls of any function that an actor exports, with values as WAVE text: what an operator calls by hand.
//!
//! The text is read by the types of the function's parameters before anything runs, so a call that makes no sense costs no
//! permit. Each call gets a fresh instance under the same limits as any other.

use std::fmt::Write as _;

use lattice_contracts::CallContext;
use lattice_core::{CallError, ErrorCode};
use wasmtime::component::{ComponentExportIndex, Type, Val, types::ComponentFunc, wasm_wave};

use crate::{
    actor::{Actor, Inner, NotEntered},
    exports::{self, Found},
    failure::Failure,
    function::Plan,
    stats::Outcome,
};

/// The longest text of all arguments together, and of a result, in bytes.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// The longest name that is looked for, in bytes: refusals repeat it.
const NAME_BYTES_MAX: usize = 1024;

/// How deep values in a text may nest: reading it recurses.
const DEPTH_MAX: usize = 64;

/// A call that makes sense: the function, and its arguments as values.
struct Asked {
    name: String,
    index: ComponentExportIndex,
    args: Vec<Val>,
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
        let asked = Asked::new(inner, function, args).map_err(|(code, reason)| {
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

type Misfit = (ErrorCode, String);

impl Asked {
    fn new(actor: &Inner, function: &str, args: &[String]) -> Result<Self, Misfit> {
        let protocol = |reason: String| (ErrorCode::Protocol, reason);
        if function.len() > NAME_BYTES_MAX {
            return Err(protocol(format!("no function has a name of {} bytes", function.len())));
        }
        let Found { name, index, ty } =
            exports::find(actor.linked.component(), function).map_err(protocol)?;
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
        let args = values(&name, &ty, args).map_err(protocol)?;
        Ok(Self { name, index, args, gives: ty.results().len() > 0 })
    }
}

/// The arguments, each read by its parameter's type.
fn values(name: &str, ty: &ComponentFunc, args: &[String]) -> Result<Vec<Val>, String> {
    let wanted = ty.params().len();
    if wanted != args.len() {
        let signature = exports::signature(ty);
        return Err(format!("{name} takes {wanted} arguments, not {}: {signature}", args.len()));
    }
    let read = ty.params().zip(args).map(|((parameter, ty), text)| {
        value(&ty, text).map_err(|why| {
            let mut said = format!("argument {parameter} of {name} is no {}: {why}", exports::type_text(&ty));
            if matches!(ty, Type::String) && !text.trim_start().starts_with('"') {
                let _ = write!(said, "; a string stands in double quotes: '\"…\"'");
            }
            said
        })
    });
    read.collect()
}

fn value(ty: &Type, text: &str) -> Result<Val, String> {
    use wasm_wave::lex::{Lexer, Token};
    let mut depth = 0_usize;
    for token in Lexer::new(text).map_while(Result::ok) {
        match token {
            Token::BraceOpen | Token::ParenOpen | Token::BracketOpen => depth += 1,
            Token::BraceClose | Token::ParenClose | Token::BracketClose => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(format!("its values nest deeper than {DEPTH_MAX}"));
        }
    }
    wasm_wave::from_str(ty, text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::{collection::vec, prelude::*, sample::select};
    use wasmtime::{
        Engine,
        component::{Component, types::ComponentItem},
    };

    use super::*;

    #[test]
    fn a_text_that_nests_without_end_is_refused_before_it_is_read() {
        let deep = "[".repeat(100_000);
        assert!(value(&Type::U32, &deep).unwrap_err().contains("nest deeper"));
        assert_eq!(value(&Type::String, "\"[[[[\""), Ok(Val::String("[[[[".into())));
        assert!(value(&Type::U32, "\"1\"").is_err());
        assert!(value(&Type::U32, "1 2").is_err());
    }

    /// A type of every kind, as a component may ask for them.
    fn types() -> Vec<Type> {
        let wat = r#"(component (import "a:b/c" (instance
            (type $p (record (field "x" u32) (field "y" (option string)))) (export "p" (type $point (eq $p)))
            (type $v (variant (case "none") (case "some" $point))) (export "v" (type $choice (eq $v)))
            (type $e (enum "red" "green")) (export "e" (type $colour (eq $e)))
            (type $m (flags "read" "write")) (export "m" (type $mode (eq $m)))
            (export "f" (func (param "a" (list $point)) (param "b" $choice) (param "c" $colour)
                (param "d" $mode) (param "e" (result u32 (error string))) (param "f" (tuple char f64))
                (param "g" (option (option s8))) (param "h" (list (list u8))) (param "i" string))))))"#;
        let engine = Engine::default();
        let component = Component::new(&engine, wat::parse_str(wat).unwrap()).unwrap();
        let outside = component.component_type();
        let Some(ComponentItem::ComponentInstance(instance)) =
            outside.get_import(&engine, "a:b/c").map(|item| item.ty)
        else {
            panic!("no instance")
        };
        let Some(ComponentItem::ComponentFunc(function)) =
            instance.get_export(&engine, "f").map(|item| item.ty)
        else {
            panic!("no function")
        };
        function.params().map(|(_, ty)| ty).collect()
    }

    #[rustfmt::skip]
    const PIECES: [&str; 38] = [
        "{", "}", "(", ")", "[", "]", ":", ",", " ", "\n", "some", "none", "ok", "err", "x", "y", "red", "green", "read",
        "write", "0", "-1", "300", "1.5", "1e400", "nan", "-inf", "'a'", "'\\u{1F600}'", "\"s\"", "\"\\u{0}\"", "\"\\q\"",
        "\"\"\"", "//", "%", "true", "\u{1b}", "é",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        /// What is read is written as what reads the same; what is not read harms nobody.
        #[test]
        fn any_text_is_a_value_or_an_error(pieces in vec(select(&PIECES[..]), 0..24), text in any::<String>()) {
            let pieces = pieces.concat();
            for ty in TYPES.iter() {
                for text in [&pieces, &text] {
                    if let Ok(read) = value(ty, text) {
                        let written = wasm_wave::to_string(&read).unwrap();
                        prop_assert_eq!(value(ty, &written), Ok(read), "{} as {}", text, written);
                    }
                }
            }
        }
    }

    static TYPES: LazyLock<Vec<Type>> = LazyLock::new(types);
}
