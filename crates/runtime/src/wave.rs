//! WAVE text to component values. The text is a stranger's.
//!
//! A few letters can stand for many values, since fields that are left out become values, too; and the library that reads it
//! compares each name with those of the whole type, at every level of a value again. So it is counted first what a text could
//! become, before anything of it does.

use std::fmt::Write as _;

use lattice_core::shortened;
use wasmtime::component::{
    Type, Val,
    types::ComponentFunc,
    wasm_wave::{
        self,
        lex::{Lexer, Token},
    },
};

use crate::{exports, values::MEMORY_BYTES_MAX};

/// How deep values in a text may nest: reading it recurses.
const DEPTH_MAX: usize = 64;

/// How often names are compared for the arguments of one call: a second or two, at most.
const COMPARISONS_MAX: usize = 1 << 26;

/// The longest reason that the library gives, in characters: it may hold the text.
const REASON_CHARS_MAX: usize = 240;

/// The arguments, each read by its parameter's type.
pub(crate) fn values(name: &str, ty: &ComponentFunc, args: &[String]) -> Result<Vec<Val>, String> {
    let wanted = ty.params().len();
    if wanted != args.len() {
        let signature = exports::signature(ty);
        return Err(format!("{name} takes {wanted} arguments, not {}: {signature}", args.len()));
    }
    let mut left = Left::for_a_call();
    let read = ty.params().zip(args).map(|((parameter, ty), text)| {
        value(&ty, text, &mut left).map_err(|why| {
            let mut said = format!("argument {parameter} of {name} is no {}: {why}", exports::type_text(&ty));
            if matches!(ty, Type::String) && !text.trim_start().starts_with('"') {
                let _ = write!(said, "; a string stands in double quotes: '\"…\"'");
            }
            said
        })
    });
    read.collect()
}

fn value(ty: &Type, text: &str, left: &mut Left) -> Result<Val, String> {
    left.charge(&Widest::of(ty), &Tokens::of(text)?)?;
    wasm_wave::from_str(ty, text)
        .map_err(|error| shortened(&error.to_string(), REASON_CHARS_MAX).into_owned())
}

/// What a text is made of.
#[derive(Default)]
struct Tokens {
    /// How deep it nests.
    deepest: usize,
    /// What may be a record or flags.
    braces: usize,
    /// Names of fields, cases and flags.
    labels: usize,
}

impl Tokens {
    /// Counts up to what is no token; nothing beyond it becomes a value.
    fn of(text: &str) -> Result<Self, String> {
        let (mut found, mut depth) = (Self::default(), 0_usize);
        for token in Lexer::new(text).map_while(Result::ok) {
            match token {
                Token::BraceOpen | Token::ParenOpen | Token::BracketOpen => depth += 1,
                Token::BraceClose | Token::ParenClose | Token::BracketClose => {
                    depth = depth.saturating_sub(1)
                }
                _ => {}
            }
            if depth > DEPTH_MAX {
                return Err(format!("its values nest deeper than {DEPTH_MAX}"));
            }
            found.deepest = found.deepest.max(depth);
            found.braces += usize::from(token == Token::BraceOpen);
            found.labels += usize::from(token == Token::LabelOrKeyword);
        }
        Ok(found)
    }
}

/// The widest of the types that a type is made of.
#[derive(Clone, Copy, Default)]
struct Widest {
    /// The most fields, cases or flags.
    names: usize,
    /// The most memory that a record takes whose fields hold nothing, in bytes.
    record_bytes: usize,
}

impl Widest {
    fn of(ty: &Type) -> Self {
        let own = match ty {
            Type::Record(record) => Self {
                names: record.fields().len(),
                record_bytes: record.fields().map(|of| size_of::<(String, Val)>() + of.name.len()).sum(),
            },
            Type::Variant(variant) => Self { names: variant.cases().len(), ..Self::default() },
            Type::Enum(of) => Self { names: of.names().len(), ..Self::default() },
            Type::Flags(flags) => Self { names: flags.names().len(), ..Self::default() },
            _ => Self::default(),
        };
        exports::members(ty).iter().map(Self::of).fold(own, |one, other| Self {
            names: one.names.max(other.names),
            record_bytes: one.record_bytes.max(other.record_bytes),
        })
    }
}

/// What the arguments of one call may still take.
struct Left {
    memory: usize,
    comparisons: usize,
}

impl Left {
    fn for_a_call() -> Self {
        Self { memory: MEMORY_BYTES_MAX, comparisons: COMPARISONS_MAX }
    }

    /// Takes what a text of these tokens could cost if every record and every name in it were of the widest type.
    fn charge(&mut self, widest: &Widest, tokens: &Tokens) -> Result<(), String> {
        let memory = tokens.braces.saturating_mul(widest.record_bytes);
        self.memory = self
            .memory
            .checked_sub(memory)
            .ok_or_else(|| format!("its records would take more than {MEMORY_BYTES_MAX} bytes of memory"))?;
        let names = tokens.labels.saturating_add(tokens.braces.saturating_mul(widest.names));
        let comparisons = names.saturating_mul(widest.names).saturating_mul(tokens.deepest.max(1));
        self.comparisons = self
            .comparisons
            .checked_sub(comparisons)
            .ok_or("its type has too many names for as many values; pass fewer of them in one call")?;
        Ok(())
    }
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

    fn read(ty: &Type, text: &str) -> Result<Val, String> {
        value(ty, text, &mut Left::for_a_call())
    }

    #[test]
    fn a_text_that_nests_without_end_is_refused_before_it_is_read() {
        let deep = "[".repeat(100_000);
        assert!(read(&Type::U32, &deep).unwrap_err().contains("nest deeper"));
        assert_eq!(read(&Type::String, "\"[[[[\""), Ok(Val::String("[[[[".into())));
        assert!(read(&Type::U32, "\"1\"").is_err());
        assert!(read(&Type::U32, "1 2").is_err());
    }

    /// A type of every kind, as a component may ask for them.
    fn types() -> Vec<Type> {
        params(
            r#"(type $p (record (field "x" u32) (field "y" (option string)))) (export "p" (type $point (eq $p)))
            (type $v (variant (case "none") (case "some" $point))) (export "v" (type $choice (eq $v)))
            (type $e (enum "red" "green")) (export "e" (type $colour (eq $e)))
            (type $m (flags "read" "write")) (export "m" (type $mode (eq $m)))
            (export "f" (func (param "a" (list $point)) (param "b" $choice) (param "c" $colour)
                (param "d" $mode) (param "e" (result u32 (error string))) (param "f" (tuple char f64))
                (param "g" (option (option s8))) (param "h" (list (list u8))) (param "i" string)))"#,
        )
    }

    /// A list of records, or of other types, that have so many names of so many letters.
    fn list_of(kind: &str, names: usize, letters: usize) -> Type {
        let padding = "n".repeat(letters);
        let names = (0..names).map(|name| match kind {
            "record" => format!("(field \"f{name}-{padding}\" (option u8))"),
            _ => format!("\"f{name}-{padding}\""),
        });
        let names = names.collect::<Vec<_>>().join(" ");
        let ty = format!("(type $t ({kind} {names})) (export \"t\" (type $named (eq $t)))");
        params(&format!("{ty} (export \"f\" (func (param \"a\" (list $named))))")).remove(0)
    }

    #[test]
    fn few_letters_cannot_become_much_memory() {
        let rows = |count: usize| format!("[{}]", "{:},".repeat(count));
        let long_names = list_of("record", 10, 20_000);
        let Ok(Val::List(few)) = read(&long_names, &rows(2)) else { panic!("they are records") };
        assert!(matches!(&few[1], Val::Record(fields) if fields.len() == 10), "{few:?}");
        assert!(read(&long_names, &rows(1000)).unwrap_err().contains("bytes of memory"));
        // What all arguments of a call take counts, not what one does.
        let mut left = Left::for_a_call();
        let third = rows(130);
        assert!(
            value(&long_names, &third, &mut left).is_ok() && value(&long_names, &third, &mut left).is_ok()
        );
        assert!(value(&long_names, &third, &mut left).unwrap_err().contains("bytes of memory"));
    }

    #[test]
    fn few_letters_cannot_become_much_work() {
        let many_fields = list_of("record", 1000, 1);
        assert!(read(&many_fields, &format!("[{}]", "{:},".repeat(3))).is_ok());
        let why = read(&many_fields, &format!("[{}]", "{:},".repeat(100))).unwrap_err();
        assert!(why.contains("too many names"), "{why}");
        let many_cases = list_of("enum", 2000, 1);
        assert!(read(&many_cases, "[f1-n, f1999-n]").is_ok());
        let why = read(&many_cases, &format!("[{}]", "f7-n,".repeat(50_000))).unwrap_err();
        assert!(why.contains("too many names"), "{why}");
        // A text that names all it fills is never too much: it is long.
        let points = format!("[{}]", "{x: 1, y: some(\"\")},".repeat(12_000));
        assert!(matches!(read(&TYPES[0], &points), Ok(Val::List(points)) if points.len() == 12_000));
    }

    #[test]
    fn a_reason_is_short_and_stays_in_its_line() {
        let long = "n".repeat(100_000);
        for text in [format!("{{{long}}}"), long.clone(), format!("{{x: 1, {long}: 1, {long}: 2}}")] {
            for ty in TYPES.iter() {
                let why = read(ty, &text).unwrap_err();
                assert!(
                    why.chars().count() <= REASON_CHARS_MAX + 1 && !why.contains(char::is_control),
                    "{why}"
                );
            }
        }
    }

    /// The parameters of the function `f` of an interface with these types.
    fn params(interface: &str) -> Vec<Type> {
        let wat = format!("(component (import \"a:b/c\" (instance {interface})))");
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
                    if let Ok(value) = read(ty, text) {
                        let written = wasm_wave::to_string(&value).unwrap();
                        prop_assert_eq!(read(ty, &written), Ok(value), "{} as {}", text, written);
                    }
                }
            }
        }
    }

    static TYPES: LazyLock<Vec<Type>> = LazyLock::new(types);
}
