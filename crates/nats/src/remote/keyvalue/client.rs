//! The contract, called: each operation is one request and one reply.

use async_trait::async_trait;
use bytes::Bytes;
use lattice_contracts::{
    CallContext,
    keyvalue::{KeyPage, Keyvalue, KeyvalueError, Versioned},
};
use lattice_core::{CallError, ErrorCode, Hop};

use super::operation::{Operation, Outcome, What};
use crate::remote::{Caller, Function, values};

/// A key-value provider on another host.
pub struct RemoteKeyvalue<C> {
    caller: C,
    interface: &'static str,
}

impl<C: Caller> RemoteKeyvalue<C> {
    /// One that is called by `caller` under `interface`, as `wasi:keyvalue/store`.
    pub fn new(caller: C, interface: &'static str) -> Self {
        Self { caller, interface }
    }

    async fn run(&self, call: &CallContext, bucket: &str, what: What<'_>) -> Result<Outcome, KeyvalueError> {
        let hop = || Hop::Provider(call.target.clone().into());
        let operation = Operation { bucket, what };
        let function = Function { interface: self.interface, function: operation.function() };
        let params = operation
            .encode()
            .map_err(|error| CallError::new(hop(), ErrorCode::TooLarge, error.to_string()))?;
        let reply = self.caller.call(call, function, values::offer(function, &params, hop())?).await?;
        let results = values::results(reply, hop()).await?;
        let outcome = operation.outcome(&results);
        outcome.map_err(|error| CallError::new(hop(), ErrorCode::Protocol, error.to_string()))?
    }

    /// What a reply is whose type is not that of its function: nobody sends it, since results are read by function.
    fn stray(call: &CallContext) -> KeyvalueError {
        let hop = Hop::Provider(call.target.clone().into());
        CallError::new(hop, ErrorCode::Protocol, "the reply is that of another function").into()
    }
}

#[async_trait]
impl<C: Caller> Keyvalue for RemoteKeyvalue<C> {
    async fn open(&self, call: &CallContext, bucket: &str) -> Result<(), KeyvalueError> {
        self.run(call, bucket, What::Open).await.map(drop)
    }

    async fn get(&self, call: &CallContext, bucket: &str, key: &str) -> Result<Option<Bytes>, KeyvalueError> {
        match self.run(call, bucket, What::Get { key }).await? {
            Outcome::Value(value) => Ok(value),
            _ => Err(Self::stray(call)),
        }
    }

    async fn get_versioned(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
    ) -> Result<Versioned, KeyvalueError> {
        match self.run(call, bucket, What::GetVersioned { key }).await? {
            Outcome::Versioned(versioned) => Ok(versioned),
            _ => Err(Self::stray(call)),
        }
    }

    async fn set(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        value: Bytes,
    ) -> Result<(), KeyvalueError> {
        self.run(call, bucket, What::Set { key, value: &value }).await.map(drop)
    }

    async fn swap(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        revision: u64,
        value: Bytes,
    ) -> Result<bool, KeyvalueError> {
        match self.run(call, bucket, What::Swap { key, revision, value: &value }).await? {
            Outcome::Flag(swapped) => Ok(swapped),
            _ => Err(Self::stray(call)),
        }
    }

    async fn delete(&self, call: &CallContext, bucket: &str, key: &str) -> Result<(), KeyvalueError> {
        self.run(call, bucket, What::Delete { key }).await.map(drop)
    }

    async fn exists(&self, call: &CallContext, bucket: &str, key: &str) -> Result<bool, KeyvalueError> {
        match self.run(call, bucket, What::Exists { key }).await? {
            Outcome::Flag(exists) => Ok(exists),
            _ => Err(Self::stray(call)),
        }
    }

    async fn list_keys(
        &self,
        call: &CallContext,
        bucket: &str,
        cursor: Option<u64>,
    ) -> Result<KeyPage, KeyvalueError> {
        match self.run(call, bucket, What::ListKeys { cursor }).await? {
            Outcome::Keys(page) => Ok(page),
            _ => Err(Self::stray(call)),
        }
    }

    async fn increment(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        delta: i64,
    ) -> Result<i64, KeyvalueError> {
        match self.run(call, bucket, What::Increment { key, delta }).await? {
            Outcome::Number(sum) => Ok(sum),
            _ => Err(Self::stray(call)),
        }
    }
}
