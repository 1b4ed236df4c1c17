//! Values as they cross the lattice: the runtime's bytes are those of wRPC's own typed codec, both ways.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use bytes::BytesMut;
use lattice_core::ErrorCode;
use lattice_runtime::{Actor, Function as _, Values};
use proptest::{collection::vec, prelude::*};
use wit_bindgen_wrpc::wrpc_transport::{pack_ready, unpack};

use crate::support::{World, call, runtime, settled, start};

#[allow(unreachable_pub, clippy::all, reason = "generated")]
mod typed {
    wit_bindgen_wrpc::generate!({
        path: "../../examples/actors/wit/translate",
        inline: "
            package tests:wire;
            world caller {
                import demo:translate/translator@0.1.0;
            }
        ",
        generate_all,
        additional_derives: [PartialEq],
        additional_derives_ignore: ["language"],
    });
}

use typed::demo::translate::translator::{
    Audience, Everything, Greeting, Language, Manner, Numbers, Refusal, Translation,
};

const TRANSLATOR: &str = "demo:translate/translator@0.1.0";

async fn translator() -> Arc<Actor> {
    start(&runtime(), "translator", &World::new(), |spec| spec.reuse = NonZeroU32::MAX).await
}

async fn sent(actor: &Actor, function: &str, params: BytesMut) -> Result<BytesMut, lattice_core::CallError> {
    let params = Values::from_bytes(params.freeze());
    let values = actor.invoke(call(Duration::from_secs(20)), TRANSLATOR, function, params).await?;
    Ok(BytesMut::from(&values.into_bytes()?[..]))
}

fn greeting() -> impl Strategy<Value = Greeting> {
    let language = prop_oneof![Just(Language::English), Just(Language::French), Just(Language::German)];
    let manner = (0..4_u8).prop_map(|bits| Manner::from_bits(bits).unwrap());
    let audience = prop_oneof![
        Just(Audience::Nobody),
        any::<String>().prop_map(Audience::One),
        vec(any::<String>(), 0..4).prop_map(Audience::Many),
    ];
    (language, manner, audience, any::<Option<u8>>())
        .prop_map(|(language, manner, audience, hour)| Greeting { language, manner, audience, hour })
}

fn answer() -> impl Strategy<Value = Result<Translation, Refusal>> {
    prop_oneof![
        (any::<String>(), any::<u32>()).prop_map(|(text, words)| Ok(Translation { text, words })),
        Just(Err(Refusal::NobodyToGreet)),
        any::<u8>().prop_map(|hour| Err(Refusal::NoSuchHour(hour))),
    ]
}

fn numbers() -> impl Strategy<Value = Numbers> {
    (any::<(u8, i8)>(), any::<(u16, i16)>(), any::<(u32, i32)>(), any::<(u64, i64)>(), any::<(f32, f64)>())
        .prop_map(|(bytes, shorts, words, longs, floats)| Numbers { bytes, shorts, words, longs, floats })
}

fn everything() -> impl Strategy<Value = Everything> {
    let nested = proptest::option::of(proptest::option::of(vec(
        proptest::option::of((any::<String>(), vec(any::<u8>(), 0..300).prop_map(Into::into))),
        0..4,
    )));
    let bare = (any::<Result<(), ()>>(), any::<Result<u8, ()>>(), any::<Result<(), String>>());
    let manners = vec((0..4_u8).prop_map(|bits| Manner::from_bits(bits).unwrap()), 0..4);
    (
        any::<bool>(),
        any::<char>(),
        numbers(),
        vec(greeting(), 0..4),
        vec(answer(), 0..4),
        bare,
        nested,
        manners,
    )
        .prop_map(|(truth, letter, numbers, greetings, answers, bare, nested, manners)| Everything {
            truth,
            letter,
            numbers,
            greetings,
            answers,
            bare,
            nested,
            manners,
        })
}

#[test]
fn what_typed_code_writes_comes_back_byte_for_byte() {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let actor = threads.block_on(translator());
    proptest!(ProptestConfig::with_cases(64), |(all in everything())| {
        let mut params = BytesMut::new();
        pack_ready((&all,), &mut params).unwrap();
        let mut back = threads.block_on(sent(&actor, "repeat", params.clone())).unwrap();
        prop_assert_eq!(&back, &params);
        prop_assert_eq!(unpack::<Everything>(&mut back).unwrap(), all);
    });
    assert_eq!(threads.block_on(settled(&actor)).in_flight, 0);
}

#[tokio::test]
async fn a_typed_caller_gets_a_typed_answer() {
    let actor = translator().await;
    let ask = async |audience: Audience, hour: Option<u8>| {
        let greeting =
            Greeting { language: Language::French, manner: Manner::FORMAL | Manner::LOUD, audience, hour };
        let mut params = BytesMut::new();
        pack_ready((&greeting,), &mut params).unwrap();
        let mut back = sent(&actor, "translate", params).await.unwrap();
        unpack::<Result<Translation, Refusal>>(&mut back).unwrap()
    };
    let one = || Audience::One("Anna".into());
    assert_eq!(ask(one(), Some(20)).await, Ok(Translation { text: "BONSOIR, ANNA!".into(), words: 2 }));
    assert_eq!(ask(Audience::Nobody, None).await, Err(Refusal::NobodyToGreet));
    assert_eq!(ask(one(), Some(24)).await, Err(Refusal::NoSuchHour(24)));
}

#[tokio::test]
async fn bytes_that_are_no_parameters_are_refused_before_anything_runs() {
    let actor = translator().await;
    for (bytes, said) in [
        (&b""[..], "the bytes end in the middle of a value"),
        (b"\x03\x00\x00\x00", "case 3 of a type that has 3"),
        (b"\x00\x04\x00\x00", "a flag is set that the type does not have"),
        (b"\x00\x00\x00\x00\x00", "1 bytes follow the last value"),
        (b"\x00\x00\x02\xff\xff\xff\xff\x0f\x00", "the bytes end in the middle of a value"),
    ] {
        let error = sent(&actor, "translate", BytesMut::from(bytes)).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Protocol, "{bytes:?}");
        assert!(error.reason.contains(said) && error.reason.contains(".translate cannot be read"), "{error}");
    }
    let much = BytesMut::zeroed(17 * 1024 * 1024);
    assert_eq!(sent(&actor, "translate", much).await.unwrap_err().code, ErrorCode::TooLarge);
    let error = sent(&actor, "nothing", BytesMut::new()).await.unwrap_err();
    assert!(error.reason.contains("has no function nothing"), "{error}");
    assert_eq!(settled(&actor).await.ok, 0);
}
