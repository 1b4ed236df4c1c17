use bytes::Bytes;
use data_encoding::HEXLOWER;
use lattice_contracts::keyvalue::{KeyPage, KeyvalueError, Versioned};
use proptest::prelude::*;

use super::operation::{Operation, Outcome, What, encode_results, has};

#[test]
fn golden_bytes() {
    for (what, bytes) in [
        (What::Open, "0162"),
        (What::Get { key: "k" }, "0162016b"),
        (What::Set { key: "k", value: b"v" }, "0162016b0176"),
        (What::Swap { key: "k", revision: 300, value: b"v" }, "0162016bac020176"),
        (What::ListKeys { cursor: Some(7) }, "01620107"),
        (What::Increment { key: "k", delta: -1 }, "0162016b7f"),
    ] {
        assert_eq!(HEXLOWER.encode(&Operation { bucket: "b", what }.encode().unwrap()), bytes);
    }
    for (outcome, bytes) in [
        (Ok(Outcome::Done), "00"),
        (Ok(Outcome::Value(Some("v".into()))), "00010176"),
        (Ok(Outcome::Number(-1)), "007f"),
        (Ok(Outcome::Keys(KeyPage { keys: vec!["k".into()], cursor: None })), "0001016b00"),
        (Err(KeyvalueError::NoSuchStore { bucket: "b".into() }), "0100"),
        (Err(KeyvalueError::Other { why: "no".into() }), "0102026e6f"),
    ] {
        assert_eq!(HEXLOWER.encode(&encode_results(outcome).unwrap()), bytes);
    }
}

#[test]
fn an_interface_has_its_functions_and_no_others() {
    assert!(has("wasi:keyvalue/store", "get") && has("wasi:keyvalue/atomics", "increment"));
    assert!(!has("wasi:keyvalue/store", "increment") && !has("wasi:keyvalue/batch", "swap"));
    assert!(!has("wasi:http/store", "get"));
}

#[test]
fn an_error_keeps_its_kind_and_its_text() {
    let get = Operation { bucket: "b", what: What::Get { key: "k" } };
    for (error, told) in [
        (KeyvalueError::NoSuchStore { bucket: "b".into() }, r#"the link configures no bucket "b""#),
        (
            KeyvalueError::NotANumber { key: "k".into() },
            r#""k" does not hold a decimal number, so it cannot be incremented"#,
        ),
        (KeyvalueError::Backend { why: "away".into() }, "the key-value backend failed: away"),
    ] {
        let bytes = Bytes::from(encode_results(Err(error)).unwrap());
        assert_eq!(get.outcome(&bytes).unwrap().unwrap_err().to_string(), told);
    }
}

fn outcomes() -> impl Strategy<Value = (What<'static>, Outcome)> {
    let value = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from));
    prop_oneof![
        value().prop_map(|value| (What::Get { key: "k" }, Outcome::Value(value))),
        (value(), any::<u64>()).prop_map(|(value, revision)| {
            (What::GetVersioned { key: "k" }, Outcome::Versioned(Versioned { value, revision }))
        }),
        any::<bool>().prop_map(|flag| (What::Exists { key: "k" }, Outcome::Flag(flag))),
        any::<i64>().prop_map(|sum| (What::Increment { key: "k", delta: 1 }, Outcome::Number(sum))),
        (proptest::collection::vec(".{0,8}", 0..8), any::<Option<u64>>()).prop_map(|(keys, cursor)| {
            (What::ListKeys { cursor: None }, Outcome::Keys(KeyPage { keys, cursor }))
        }),
    ]
}

proptest! {
    #[test]
    fn operations_come_back_as_they_were(bucket in ".{0,12}", key in ".{0,12}", value in proptest::collection::vec(any::<u8>(), 0..64), number in any::<u64>(), delta in any::<i64>(), cursor in any::<Option<u64>>()) {
        let (key, value) = (key.as_str(), value.as_slice());
        for what in [
            What::Open, What::Get { key }, What::GetVersioned { key }, What::Set { key, value },
            What::Swap { key, revision: number, value }, What::Delete { key }, What::Exists { key },
            What::ListKeys { cursor }, What::Increment { key, delta },
        ] {
            let operation = Operation { bucket: &bucket, what };
            let bytes = operation.encode().unwrap();
            prop_assert_eq!(Operation::decode(operation.function(), &bytes).unwrap().unwrap(), operation.clone());
            for end in 0..bytes.len() {
                prop_assert!(Operation::decode(operation.function(), &bytes[..end]).is_err());
            }
        }
    }

    #[test]
    fn outcomes_come_back_as_they_were((what, outcome) in outcomes()) {
        let operation = Operation { bucket: "b", what };
        let bytes = Bytes::from(encode_results(Ok(outcome.clone())).unwrap());
        prop_assert_eq!(operation.outcome(&bytes).unwrap().unwrap(), outcome);
    }

    #[test]
    fn bytes_of_strangers_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..64), function in "(open|get|set|swap|list-keys|increment|x)") {
        let _ = Operation::decode(&function, &bytes);
        let bytes = Bytes::from(bytes);
        for what in [What::Open, What::Get { key: "" }, What::ListKeys { cursor: None }, What::Increment { key: "", delta: 0 }] {
            let _ = Operation { bucket: "", what }.outcome(&bytes);
        }
    }
}

mod here_and_elsewhere {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use async_trait::async_trait;
    use lattice_contracts::{CallContext, keyvalue::Keyvalue};
    use lattice_core::{CallError, ErrorCode, Hop, InvocationId, LinkName};
    use tokio::time::Instant;

    use super::*;
    use crate::{
        Inbound,
        remote::{Caller, Function, Offer, Taken, envelope, keyvalue::RemoteKeyvalue},
    };

    fn hop() -> Hop {
        Hop::Provider("kv".parse().unwrap())
    }

    fn call() -> CallContext {
        CallContext {
            id: InvocationId::from_bits(1),
            source: "a".parse().unwrap(),
            target: "kv".parse().unwrap(),
            link: LinkName::default(),
            deadline: Instant::now() + std::time::Duration::from_secs(5),
            depth: 0,
            trace: None,
        }
    }

    /// A store in this process that only counts how often it is asked, and refuses with `error`.
    struct Here {
        error: Option<CallError>,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl Keyvalue for Here {
        async fn open(&self, _: &CallContext, _: &str) -> Result<(), KeyvalueError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.error.clone().map_or(Ok(()), |error| Err(error.into()))
        }
        async fn get(&self, _: &CallContext, _: &str, _: &str) -> Result<Option<Bytes>, KeyvalueError> {
            unreachable!()
        }
        async fn get_versioned(&self, _: &CallContext, _: &str, _: &str) -> Result<Versioned, KeyvalueError> {
            unreachable!()
        }
        async fn set(&self, _: &CallContext, _: &str, _: &str, _: Bytes) -> Result<(), KeyvalueError> {
            unreachable!()
        }
        async fn swap(
            &self,
            _: &CallContext,
            _: &str,
            _: &str,
            _: u64,
            _: Bytes,
        ) -> Result<bool, KeyvalueError> {
            unreachable!()
        }
        async fn delete(&self, _: &CallContext, _: &str, _: &str) -> Result<(), KeyvalueError> {
            unreachable!()
        }
        async fn exists(&self, _: &CallContext, _: &str, _: &str) -> Result<bool, KeyvalueError> {
            unreachable!()
        }
        async fn list_keys(
            &self,
            _: &CallContext,
            _: &str,
            _: Option<u64>,
        ) -> Result<KeyPage, KeyvalueError> {
            unreachable!()
        }
        async fn increment(&self, _: &CallContext, _: &str, _: &str, _: i64) -> Result<i64, KeyvalueError> {
            unreachable!()
        }
    }

    /// Says `here` at first where it is told to, and else that somebody answered.
    struct Scripted {
        prefers: bool,
        here_first: bool,
        elsewhere: AtomicUsize,
    }

    #[async_trait]
    impl Caller for &Scripted {
        fn prefers_here(&self) -> bool {
            self.prefers
        }

        async fn call(
            &self,
            _: &CallContext,
            function: Function<'_>,
            _: &Offer,
            refused_here: Option<CallError>,
        ) -> Result<Taken, CallError> {
            assert_eq!(function.function, "open");
            if self.here_first && refused_here.is_none() {
                return Ok(Taken::Here);
            }
            self.elsewhere.fetch_add(1, Ordering::Relaxed);
            Ok(Taken::Elsewhere(Inbound::complete(envelope::reply(b"\0"), hop())))
        }
    }

    /// How often the store here was asked, how often others were, and whether it went well.
    fn opened(prefers: bool, here_first: bool, error: Option<CallError>) -> (usize, usize, bool) {
        let here = Arc::new(Here { error, asked: AtomicUsize::new(0) });
        let caller: &'static Scripted =
            Box::leak(Box::new(Scripted { prefers, here_first, elsewhere: AtomicUsize::new(0) }));
        let store = RemoteKeyvalue::new(caller, "wasi:keyvalue/store").beside(Some(here.clone()));
        let opened = futures::executor::block_on(store.open(&call(), "b"));
        let elsewhere = caller.elsewhere.load(Ordering::Relaxed);
        (here.asked.load(Ordering::Relaxed), elsewhere, opened.is_ok())
    }

    #[test]
    fn a_store_here_that_refuses_is_replaced_by_others_and_one_that_may_have_acted_is_not() {
        let error = |code| CallError::new(hop(), code, "no");
        assert_eq!(opened(true, false, None), (1, 0, true), "it comes first");
        assert_eq!(opened(false, true, None), (1, 0, true), "it is chosen");
        assert_eq!(opened(false, false, None), (0, 1, true), "others are chosen");
        for code in [ErrorCode::Overloaded, ErrorCode::Unreachable] {
            let refusal = error(code).not_run();
            assert_eq!(opened(true, false, Some(refusal.clone())), (1, 1, true), "{code}");
            assert_eq!(opened(false, true, Some(refusal)), (1, 1, true), "{code}");
            assert_eq!(opened(true, false, Some(error(code))), (1, 0, false), "{code}, and it may have run");
        }
        let denied = error(ErrorCode::Denied).not_run();
        assert_eq!(opened(false, true, Some(denied)), (1, 0, false), "others would say the same");
    }
}
