//! Key-value operations over the wire, against a store in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use lattice_contracts::{
    CallContext,
    keyvalue::{KeyPage, Keyvalue, KeyvalueError, Versioned},
};
use lattice_core::{CallError, ErrorCode, Hop};
use lattice_nats::{
    Received,
    remote::{Function, keyvalue},
};

use super::Anyone;
use crate::{
    invocation::{call, caller, serving},
    server,
};

/// Values with their revisions; one bucket, `b`, and one whose backend is away, `away`.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, (Bytes, u64)>>);

impl Memory {
    fn of(
        &self,
        bucket: &str,
    ) -> Result<std::sync::MutexGuard<'_, BTreeMap<String, (Bytes, u64)>>, KeyvalueError> {
        match bucket {
            "b" => Ok(self.0.lock().unwrap()),
            "away" => {
                let hop = Hop::Provider("greeter".parse().unwrap());
                Err(CallError::new(hop, ErrorCode::Backend, "gone fishing").into())
            }
            _ => Err(KeyvalueError::NoSuchStore { bucket: bucket.to_owned() }),
        }
    }
}

#[async_trait]
impl Keyvalue for Memory {
    async fn open(&self, _: &CallContext, bucket: &str) -> Result<(), KeyvalueError> {
        self.of(bucket).map(drop)
    }
    async fn get(&self, _: &CallContext, bucket: &str, key: &str) -> Result<Option<Bytes>, KeyvalueError> {
        Ok(self.of(bucket)?.get(key).map(|(value, _)| value.clone()))
    }
    async fn get_versioned(
        &self,
        _: &CallContext,
        bucket: &str,
        key: &str,
    ) -> Result<Versioned, KeyvalueError> {
        let found = self.of(bucket)?.get(key).cloned();
        Ok(found.map_or(Versioned { value: None, revision: 0 }, |(value, revision)| Versioned {
            value: Some(value),
            revision,
        }))
    }
    async fn set(&self, _: &CallContext, bucket: &str, key: &str, value: Bytes) -> Result<(), KeyvalueError> {
        let mut all = self.of(bucket)?;
        let revision = all.get(key).map_or(0, |(_, revision)| *revision) + 1;
        all.insert(key.to_owned(), (value, revision));
        Ok(())
    }
    async fn swap(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        revision: u64,
        value: Bytes,
    ) -> Result<bool, KeyvalueError> {
        let same = self.of(bucket)?.get(key).map_or(0, |(_, revision)| *revision) == revision;
        if same {
            self.set(call, bucket, key, value).await?;
        }
        Ok(same)
    }
    async fn delete(&self, _: &CallContext, bucket: &str, key: &str) -> Result<(), KeyvalueError> {
        self.of(bucket)?.remove(key);
        Ok(())
    }
    async fn exists(&self, _: &CallContext, bucket: &str, key: &str) -> Result<bool, KeyvalueError> {
        Ok(self.of(bucket)?.contains_key(key))
    }
    async fn list_keys(
        &self,
        _: &CallContext,
        bucket: &str,
        cursor: Option<u64>,
    ) -> Result<KeyPage, KeyvalueError> {
        Ok(KeyPage { keys: self.of(bucket)?.keys().cloned().collect(), cursor: cursor.map(|at| at + 1) })
    }
    async fn increment(&self, _: &CallContext, _: &str, key: &str, _: i64) -> Result<i64, KeyvalueError> {
        Err(KeyvalueError::NotANumber { key: key.to_owned() })
    }
}

#[tokio::test]
async fn every_operation_does_there_what_it_says_here() {
    let server = server().await;
    let store = Arc::new(Memory::default());
    let _callee = serving(&server, 'A', move |request: Received| {
        let store = store.clone();
        async move {
            let Received { call, interface, function, body, .. } = request;
            let function = Function { interface: &interface, function: &function };
            keyvalue::serve(&*store, &call, function, body).await
        }
    })
    .await;
    let calls = caller(&server).await;
    let remote = |interface| keyvalue::RemoteKeyvalue::new(Anyone(calls.clone()), interface);
    let (kv, atomics, call) = (remote("wasi:keyvalue/store"), remote("wasi:keyvalue/atomics"), call());
    let call = &call;

    kv.open(call, "b").await.unwrap();
    assert_eq!(kv.get(call, "b", "k").await.unwrap(), None);
    // As large as two first pieces.
    let large = Bytes::from(vec![7; 600 * 1024]);
    kv.set(call, "b", "k", large.clone()).await.unwrap();
    assert!(kv.get(call, "b", "k").await.unwrap() == Some(large));
    assert!(kv.exists(call, "b", "k").await.unwrap());
    let versioned = atomics.get_versioned(call, "b", "k").await.unwrap();
    assert!(!atomics.swap(call, "b", "k", versioned.revision + 1, "x".into()).await.unwrap());
    assert!(atomics.swap(call, "b", "k", versioned.revision, "x".into()).await.unwrap());
    assert_eq!(kv.get(call, "b", "k").await.unwrap().unwrap(), "x");
    let page = kv.list_keys(call, "b", Some(4)).await.unwrap();
    assert_eq!((page.keys, page.cursor), (vec!["k".to_owned()], Some(5)));
    kv.delete(call, "b", "k").await.unwrap();
    assert!(!kv.exists(call, "b", "k").await.unwrap());

    // Errors keep their kind; an interface gives no function of another.
    assert!(matches!(kv.open(call, "c").await, Err(KeyvalueError::NoSuchStore { bucket }) if bucket == "c"));
    let error = atomics.increment(call, "b", "k", 1).await.unwrap_err();
    assert!(error.to_string().contains("does not hold a decimal number"), "{error}");
    let Err(KeyvalueError::Call(error)) = kv.get(call, "away", "k").await else { panic!("not the call's") };
    assert_eq!((error.code, error.reason.as_str()), (ErrorCode::Backend, "gone fishing"));
    let Err(KeyvalueError::Call(error)) = kv.increment(call, "b", "k", 1).await else {
        panic!("carried out")
    };
    assert_eq!(error.code, ErrorCode::Protocol);
}
