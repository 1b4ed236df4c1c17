//! The contract, called: each operation is one request and one reply.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use lattice_contracts::{
    CallContext,
    keyvalue::{KeyPage, Keyvalue, KeyvalueError, Versioned},
};
use lattice_core::{CallError, ErrorCode, Hop};

use super::{
    operation::{Operation, Outcome, What},
    server::carry_out,
};
use crate::{
    Inbound,
    remote::{Caller, Function, Taken, values},
};

/// A key-value provider on other hosts, and perhaps in this process as well.
pub struct RemoteKeyvalue<C> {
    caller: C,
    interface: &'static str,
    here: Option<Arc<dyn Keyvalue>>,
}

impl<C: Caller> RemoteKeyvalue<C> {
    /// One that is called by `caller` under `interface`, as `wasi:keyvalue/store`.
    pub fn new(caller: C, interface: &'static str) -> Self {
        Self { caller, interface, here: None }
    }

    /// The same, where the provider is in this process too: it is called when the caller says so, or prefers it.
    #[must_use]
    pub fn beside(self, here: Option<Arc<dyn Keyvalue>>) -> Self {
        Self { here, ..self }
    }

    async fn run(&self, call: &CallContext, bucket: &str, what: What<'_>) -> Result<Outcome, KeyvalueError> {
        let operation = Operation { bucket, what };
        let mut refused = None;
        if self.here.is_some() && self.caller.prefers_here() {
            match self.run_here(call, &operation).await {
                Ok(outcome) => return outcome,
                Err(error) => refused = Some(error),
            }
        }
        let hop = Hop::Provider(call.target.clone().into());
        let function = Function { interface: self.interface, function: operation.function() };
        let params = operation.encode();
        let params =
            params.map_err(|error| CallError::new(hop.clone(), ErrorCode::TooLarge, error.to_string()))?;
        let offer = values::offer(function, &params, hop)?;
        loop {
            match self.caller.call(call, function, &offer, refused.take()).await? {
                Taken::Elsewhere(reply) => return Self::read(call, &operation, reply).await,
                // At most once: a caller that hears of a refusal asks others.
                Taken::Here => match self.run_here(call, &operation).await {
                    Ok(outcome) => return outcome,
                    Err(error) => refused = Some(error),
                },
            }
        }
    }

    /// Lets the provider in this process carry it out; the error is its refusal, after which others may be asked.
    async fn run_here(
        &self,
        call: &CallContext,
        operation: &Operation<'_>,
    ) -> Result<Result<Outcome, KeyvalueError>, CallError> {
        let Some(here) = &self.here else {
            let hop = Hop::Provider(call.target.clone().into());
            return Err(CallError::new(hop, ErrorCode::Unreachable, "it is not in this process").not_run());
        };
        match carry_out(&**here, call, operation).await {
            Err(KeyvalueError::Call(error)) if error.may_be_tried_elsewhere() => Err(error),
            outcome => Ok(outcome),
        }
    }

    async fn read(
        call: &CallContext,
        operation: &Operation<'_>,
        reply: Inbound,
    ) -> Result<Outcome, KeyvalueError> {
        let hop = || Hop::Provider(call.target.clone().into());
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
