//! Random types and values: what is written is read back, the engine's own values among them, and strangers' bytes harm nobody.

use std::fmt::Write as _;

use proptest::{collection::vec, prelude::*, sample::subsequence};
use wasmtime::{
    Engine, Store,
    component::{Component, Linker, types::ComponentItem},
};

use super::{
    fuzzing::{memory_of, named, names},
    *,
};

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Bool),
        Just(Shape::S8),
        Just(Shape::U8),
        Just(Shape::S16),
        Just(Shape::U16),
        Just(Shape::S32),
        Just(Shape::U32),
        Just(Shape::S64),
        Just(Shape::U64),
        Just(Shape::F32),
        Just(Shape::F64),
        Just(Shape::Char),
        Just(Shape::String),
        (1..6_usize).prop_map(|count| Shape::Enum(names("case", count))),
        (1..=32_usize).prop_map(|count| Shape::Flags(names("flag", count))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let maybe = proptest::option::of(inner.clone());
        prop_oneof![
            inner.clone().prop_map(|of| Shape::List(Box::new(of))),
            inner.clone().prop_map(|of| Shape::Option(Box::new(of))),
            vec(inner.clone(), 1..4).prop_map(|of| Shape::Tuple(of.into())),
            vec(inner.clone(), 1..4).prop_map(|of| Shape::Record(named("field", of))),
            vec(maybe.clone(), 1..4).prop_map(|of| Shape::Variant(named("case", of))),
            (maybe.clone(), maybe)
                .prop_map(|(ok, err)| Shape::Result { ok: ok.map(Box::new), err: err.map(Box::new) }),
        ]
    })
}

fn value(shape: &Shape) -> BoxedStrategy<Val> {
    match shape {
        Shape::Bool => any::<bool>().prop_map(Val::Bool).boxed(),
        Shape::S8 => any::<i8>().prop_map(Val::S8).boxed(),
        Shape::U8 => any::<u8>().prop_map(Val::U8).boxed(),
        Shape::S16 => any::<i16>().prop_map(Val::S16).boxed(),
        Shape::U16 => any::<u16>().prop_map(Val::U16).boxed(),
        Shape::S32 => any::<i32>().prop_map(Val::S32).boxed(),
        Shape::U32 => any::<u32>().prop_map(Val::U32).boxed(),
        Shape::S64 => any::<i64>().prop_map(Val::S64).boxed(),
        Shape::U64 => any::<u64>().prop_map(Val::U64).boxed(),
        Shape::F32 => proptest::num::f32::ANY.prop_map(Val::Float32).boxed(),
        Shape::F64 => proptest::num::f64::ANY.prop_map(Val::Float64).boxed(),
        Shape::Char => any::<char>().prop_map(Val::Char).boxed(),
        Shape::String => any::<String>().prop_map(Val::String).boxed(),
        Shape::List(of) => vec(value(of), 0..4).prop_map(Val::List).boxed(),
        Shape::Option(of) => {
            proptest::option::of(value(of)).prop_map(|value| Val::Option(value.map(Box::new))).boxed()
        }
        Shape::Tuple(of) => of.iter().map(value).collect::<Vec<_>>().prop_map(Val::Tuple).boxed(),
        Shape::Record(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(name, of)| (Just(name.to_string()), value(of))).collect();
            fields.prop_map(Val::Record).boxed()
        }
        Shape::Variant(cases) => {
            let cases = cases.iter().map(|(name, of)| {
                let name = name.to_string();
                maybe(of.as_ref()).prop_map(move |value| Val::Variant(name.clone(), value))
            });
            proptest::strategy::Union::new(cases).boxed()
        }
        Shape::Enum(cases) => {
            proptest::sample::select(cases.to_vec()).prop_map(|case| Val::Enum(case.into())).boxed()
        }
        Shape::Result { ok, err } => {
            let (ok, err) = (maybe(ok.as_deref()), maybe(err.as_deref()));
            prop_oneof![
                ok.prop_map(|value| Val::Result(Ok(value))),
                err.prop_map(|value| Val::Result(Err(value)))
            ]
            .boxed()
        }
        Shape::Flags(names) => {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            subsequence(names.clone(), 0..=names.len()).prop_map(Val::Flags).boxed()
        }
    }
}

fn maybe(shape: Option<&Shape>) -> BoxedStrategy<Option<Box<Val>>> {
    match shape {
        Some(shape) => value(shape).prop_map(|value| Some(Box::new(value))).boxed(),
        None => Just(None).boxed(),
    }
}

fn typed() -> impl Strategy<Value = (Shape, Val)> {
    shape().prop_flat_map(|shape| {
        let value = value(&shape);
        (Just(shape), value)
    })
}

fn bytes_of(shape: &Shape, value: &Val) -> Vec<u8> {
    let mut encoder = Encoder::new(BYTES_MAX);
    encode(&mut encoder, shape, value).unwrap();
    encoder.finish().unwrap()
}

fn read_one(shape: &Shape, bytes: &[u8], memory: usize) -> Result<Val, ReadError> {
    let mut reader = Reader::new(Decoder::new(bytes, DecodeLimits::default())?, memory);
    let value = reader.value(shape)?;
    reader.finish()?;
    Ok(value)
}

/// A component whose `echo` takes and gives a list of `shape`, by way of its own memory.
fn echo(shape: &Shape) -> String {
    let mut types = Types::default();
    let of = types.text(shape);
    format!(
        r#"(component {}
            (core module $m
                (memory (export "memory") 1)
                (global $end (mut i32) (i32.const 1024))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $end) (i32.const 7)) (i32.const -8)))
                    (global.set $end (i32.add (local.get $at) (local.get 3)))
                    (if (i32.gt_u (global.get $end) (i32.mul (memory.size) (i32.const 65536)))
                        (then (drop (memory.grow (i32.add (i32.div_u (local.get 3) (i32.const 65536)) (i32.const 1))))))
                    (local.get $at))
                (func (export "echo") (param i32 i32) (result i32)
                    (i32.store (i32.const 8) (local.get 0))
                    (i32.store (i32.const 12) (local.get 1))
                    (i32.const 8)))
            (core instance $i (instantiate $m))
            (func (export "echo") (param "all" (list {of})) (result (list {of}))
                (canon lift (core func $i "echo") (memory (core memory $i "memory"))
                    (realloc (core func $i "realloc")))))"#,
        types.declared
    )
}

/// The text format names records, variants, enums and flags before they are used.
#[derive(Default)]
struct Types {
    declared: String,
    count: usize,
}

impl Types {
    fn declare(&mut self, text: &str) -> String {
        let name = format!("t{}", self.count);
        self.count += 1;
        write!(self.declared, r#"(type ${name}x {text}) (export ${name} "{name}" (type ${name}x)) "#)
            .unwrap();
        format!("${name}")
    }

    fn text(&mut self, shape: &Shape) -> String {
        let quoted =
            |names: &[Box<str>]| names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" ");
        match shape {
            Shape::List(of) => format!("(list {})", self.text(of)),
            Shape::Option(of) => format!("(option {})", self.text(of)),
            Shape::Tuple(of) => {
                let of: Vec<String> = of.iter().map(|of| self.text(of)).collect();
                format!("(tuple {})", of.join(" "))
            }
            Shape::Result { ok, err } => {
                let ok = ok.as_ref().map(|of| self.text(of)).unwrap_or_default();
                let err = err.as_ref().map(|of| format!("(error {})", self.text(of))).unwrap_or_default();
                format!("(result {ok} {err})")
            }
            Shape::Record(fields) => {
                let fields: Vec<String> =
                    fields.iter().map(|(name, of)| format!("(field {name:?} {})", self.text(of))).collect();
                self.declare(&format!("(record {})", fields.join(" ")))
            }
            Shape::Variant(cases) => {
                let cases: Vec<String> = cases
                    .iter()
                    .map(|(name, of)| {
                        let of = of.as_ref().map(|of| self.text(of)).unwrap_or_default();
                        format!("(case {name:?} {of})")
                    })
                    .collect();
                self.declare(&format!("(variant {})", cases.join(" ")))
            }
            Shape::Enum(cases) => self.declare(&format!("(enum {})", quoted(cases))),
            Shape::Flags(names) => self.declare(&format!("(flags {})", quoted(names))),
            leaf => format!("{leaf:?}").to_lowercase(),
        }
    }
}

/// What `echo` makes of `values`, and the shape that the engine says they have.
fn through_the_engine(engine: &Engine, shape: &Shape, values: Vec<Val>) -> (Shape, Vec<Val>) {
    let component = Component::new(engine, wat::parse_str(echo(shape)).unwrap()).unwrap();
    let mut store = Store::new(engine, ());
    let instance = Linker::new(engine).instantiate(&mut store, &component).unwrap();
    let function = instance.get_func(&mut store, "echo").unwrap();
    let Some(ComponentItem::ComponentFunc(ty)) =
        component.component_type().get_export(engine, "echo").map(|export| export.ty)
    else {
        panic!("no function")
    };
    let Ok(Shape::List(seen)) = Shape::of(&ty.params().next().unwrap().1) else { panic!("no list") };
    let mut results = [Val::Bool(false)];
    function.call(&mut store, &[Val::List(values)], &mut results).unwrap();
    let [Val::List(back)] = results else { panic!("no list") };
    (*seen, back)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_written_is_read_back((shape, value) in typed()) {
        let bytes = bytes_of(&shape, &value);
        prop_assert_eq!(read_one(&shape, &bytes, MEMORY_BYTES_MAX), Ok(value));
        // No byte can be missing, and none can be one too many.
        for short in 0..bytes.len() {
            prop_assert!(read_one(&shape, &bytes[..short], MEMORY_BYTES_MAX).is_err());
        }
        let long = [&bytes[..], &[0]].concat();
        prop_assert!(read_one(&shape, &long, MEMORY_BYTES_MAX).is_err());
    }

    #[test]
    fn strangers_bytes_are_values_or_errors_within_the_limit(
        shape in shape(),
        bytes in vec(any::<u8>(), 0..256),
        memory in 0..4096_usize,
    ) {
        if let Ok(value) = read_one(&shape, &bytes, memory) {
            prop_assert!(memory_of(&value) <= memory, "{} in {memory}", memory_of(&value));
            // What was read is of its type, so it can be written.
            prop_assert_eq!(read_one(&shape, &bytes_of(&shape, &value), MEMORY_BYTES_MAX), Ok(value));
        }
    }

    /// Most strangers' bytes are wrong from the first on; these are wrong somewhere.
    #[test]
    fn changed_bytes_are_values_or_errors_within_the_limit(
        (shape, value) in typed(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = bytes_of(&shape, &value);
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        if let Ok(value) = read_one(&shape, &bytes, 4096) {
            prop_assert!(memory_of(&value) <= 4096, "{}", memory_of(&value));
            prop_assert_eq!(read_one(&shape, &bytes_of(&shape, &value), MEMORY_BYTES_MAX), Ok(value));
        }
    }
}

/// The shape of the one parameter of a function that a component imports, as the engine knows it.
fn shape_of_import(types: &str, parameter: &str) -> Result<Shape, &'static str> {
    let wat = format!("(component {types} (import \"f\" (func (param \"a\" {parameter}))))");
    let engine = Engine::default();
    let component = Component::new(&engine, wat::parse_str(wat).unwrap()).unwrap();
    let item = component.component_type().get_import(&engine, "f").unwrap().ty;
    let ComponentItem::ComponentFunc(ty) = item else { panic!("no function") };
    Shape::of(&ty.params().next().unwrap().1)
}

#[test]
fn types_that_a_component_makes_too_deep_or_too_many_are_refused() {
    let nested = |depth: usize| format!("{}u8{}", "(list ".repeat(depth), ")".repeat(depth));
    assert!(shape_of_import("", &nested(63)).is_ok());
    assert_eq!(shape_of_import("", &nested(64)), Err("a type that nests too deep"));
    // Each is twice the one before, in a few bytes.
    let doubled: String = (1..14).map(|n| format!("(type $t{n} (tuple $t{0} $t{0}))", n - 1)).collect();
    let doubled = format!("(type $t0 (tuple u8 u8)) {doubled}");
    assert!(shape_of_import(&doubled, "$t10").is_ok());
    assert_eq!(shape_of_import(&doubled, "$t13"), Err("a type of too many parts"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_engine_s_own_values_keep_type_and_value(
        (shape, values) in shape().prop_flat_map(|shape| { let some = vec(value(&shape), 1..4); (Just(shape), some) })
    ) {
        let (seen, back) = through_the_engine(&Engine::default(), &shape, values.clone());
        prop_assert_eq!(&seen, &shape);
        for (before, after) in values.iter().zip(&back) {
            prop_assert_eq!(before, after);
            let bytes = bytes_of(&shape, after);
            prop_assert_eq!(&bytes, &bytes_of(&shape, before));
            prop_assert_eq!(&read_one(&seen, &bytes, MEMORY_BYTES_MAX).unwrap(), after);
        }
    }
}

#[test]
fn the_bytes_of_what_has_names() {
    let many = Shape::Enum(names("case", 300));
    assert_eq!(bytes_of(&many, &Val::Enum("case299".into())), [0xab, 0x02]);
    let flags = Shape::Flags(names("flag", 9));
    let set = Val::Flags(vec!["flag0".into(), "flag8".into()]);
    assert_eq!(bytes_of(&flags, &set), [0x01, 0x01]);
    let record = Shape::Record(named("field", vec![Shape::U8, Shape::String]));
    let value = Val::Record(vec![("field0".into(), Val::U8(7)), ("field1".into(), Val::String("a".into()))]);
    assert_eq!(bytes_of(&record, &value), [7, 1, b'a']);
    let variant = Shape::Variant(named("case", vec![None, Some(Shape::Bool)]));
    let value = Val::Variant("case1".into(), Some(Box::new(Val::Bool(true))));
    assert_eq!(bytes_of(&variant, &value), [1, 1]);
    assert_eq!(encode(&mut Encoder::new(9), &variant, &Val::Bool(true)), Err(encode::Misfit));
}

#[test]
fn few_bytes_cannot_become_much_memory() {
    let row = Shape::Record(named("a-field-with-a-long-name", vec![Shape::Bool; 8]));
    let table = Shape::List(Box::new(row));
    let mut bytes = vec![0x80, 0x80, 0x04];
    bytes.resize(3 + 8 * 65_536, 1);
    assert_eq!(read_one(&table, &bytes, 1 << 20), Err(ReadError::Memory { limit: 1 << 20 }));
    let bytes_of_bytes = Shape::List(Box::new(Shape::U8));
    assert_eq!(read_one(&bytes_of_bytes, &bytes, 1 << 20), Err(ReadError::Memory { limit: 1 << 20 }));
}
