//! Batches end at their bounds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use lattice_contracts::{
    CallContext,
    keyvalue::{KeyPage, Versioned},
};
use lattice_core::{EntityId, InvocationId, LinkName};
use tokio::time::Instant;

use super::*;
use crate::{
    budget::{Budget, Limiter},
    config::Limits,
    pool::House,
};

/// A store in which every key has a value of this many bytes.
struct Plenty {
    value_bytes: usize,
    reads: AtomicUsize,
}

fn refused() -> KeyvalueError {
    KeyvalueError::Backend { why: "only reading is served".to_owned() }
}

#[async_trait]
impl Keyvalue for Plenty {
    async fn open(&self, _: &CallContext, _: &str) -> Result<(), KeyvalueError> {
        Ok(())
    }
    async fn get(&self, _: &CallContext, _: &str, _: &str) -> Result<Option<Bytes>, KeyvalueError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(Some(vec![0; self.value_bytes].into()))
    }
    async fn get_versioned(&self, _: &CallContext, _: &str, _: &str) -> Result<Versioned, KeyvalueError> {
        Err(refused())
    }
    async fn set(&self, _: &CallContext, _: &str, _: &str, _: Bytes) -> Result<(), KeyvalueError> {
        Err(refused())
    }
    async fn swap(&self, _: &CallContext, _: &str, _: &str, _: u64, _: Bytes) -> Result<bool, KeyvalueError> {
        Err(refused())
    }
    async fn delete(&self, _: &CallContext, _: &str, _: &str) -> Result<(), KeyvalueError> {
        Err(refused())
    }
    async fn exists(&self, _: &CallContext, _: &str, _: &str) -> Result<bool, KeyvalueError> {
        Err(refused())
    }
    async fn list_keys(&self, _: &CallContext, _: &str, _: Option<u64>) -> Result<KeyPage, KeyvalueError> {
        Err(refused())
    }
    async fn increment(&self, _: &CallContext, _: &str, _: &str, _: i64) -> Result<i64, KeyvalueError> {
        Err(refused())
    }
}

/// Reads `keys` values of `value_bytes` on a host with `budget` bytes: how many came or what was said, how many were
/// read, and what the host holds in the end.
async fn read(keys: usize, value_bytes: usize, budget: u64) -> (Result<usize, Failure>, usize, u64) {
    let store = Arc::new(Plenty { value_bytes, reads: AtomicUsize::new(0) });
    let call = CallContext {
        id: InvocationId::from_bits(1),
        source: EntityId::new("actor").unwrap(),
        target: EntityId::new("provider").unwrap(),
        link: LinkName::default(),
        deadline: Instant::now() + Duration::from_secs(10),
        depth: 0,
        trace: None,
    };
    let bound = Bound { call, implementation: store.clone() as Arc<dyn Keyvalue> };
    let budget = Arc::new(Budget::new(budget, House::new(0)));
    let lent = Limiter::new(budget.clone(), Limits::default()).lend();
    let found = get_many(&bound, "bucket", vec!["key".to_owned(); keys], lent).await;
    (found.map(|found| found.len()), store.reads.load(Ordering::Relaxed), budget.used())
}

fn said(outcome: Result<usize, Failure>) -> String {
    match outcome {
        Err(Failure::Other(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn values_read_at_once_are_bounded() {
    const MIB: usize = 1024 * 1024;
    assert_eq!(read(20, MIB, u64::MAX).await, (Ok(20), 20, 0));
    let (outcome, reads, held) = read(1_000, MIB, u64::MAX).await;
    assert!(said(outcome).contains("more than 33554432 bytes"));
    assert!(reads <= 32 + BATCH_WIDTH && held == 0, "{reads} reads, {held} bytes held");
    let (outcome, _, held) = read(20, MIB, 4 * MIB as u64).await;
    assert!(said(outcome).contains("no memory left"));
    assert_eq!(held, 0);
}

#[tokio::test]
async fn keys_of_a_batch_are_bounded() {
    assert_eq!(read(BATCH_KEYS_MAX, 1, u64::MAX).await.0, Ok(BATCH_KEYS_MAX));
    let (outcome, reads, _) = read(BATCH_KEYS_MAX + 1, 1, u64::MAX).await;
    assert!(said(outcome).contains("at most 10000"));
    assert_eq!(reads, 0);
}
