//! The operations of the contract, for a link that was found.

use async_trait::async_trait;
use bytes::Bytes;
use lattice_contracts::{
    CallContext,
    keyvalue::{KeyPage, Keyvalue, KeyvalueError, Versioned},
};

use crate::{bucket::WriteError, increment::random_mark, key::escape, provider::Inner};

#[async_trait]
impl Keyvalue for Inner {
    async fn open(&self, call: &CallContext, bucket: &str) -> Result<(), KeyvalueError> {
        self.enter(call, bucket).map(drop)
    }

    async fn get(&self, call: &CallContext, bucket: &str, key: &str) -> Result<Option<Bytes>, KeyvalueError> {
        self.get_versioned(call, bucket, key).await.map(|entry| entry.value)
    }

    async fn get_versioned(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
    ) -> Result<Versioned, KeyvalueError> {
        let (entered, key) = (self.enter(call, bucket)?, escape(key)?);
        let entry = entered.bucket.read(&key, call.deadline).await?;
        Ok(Versioned { value: entry.value, revision: entry.revision })
    }

    async fn set(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        value: Bytes,
    ) -> Result<(), KeyvalueError> {
        let (entered, key) = (self.enter(call, bucket)?, escape(key)?);
        Ok(entered.bucket.put(&key, value, call.deadline).await.map(drop)?)
    }

    async fn swap(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        revision: u64,
        value: Bytes,
    ) -> Result<bool, KeyvalueError> {
        let (entered, key) = (self.enter(call, bucket)?, escape(key)?);
        match entered.bucket.put_if(&key, value, revision, &random_mark(), call.deadline).await {
            Ok(_) => Ok(true),
            Err(WriteError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn delete(&self, call: &CallContext, bucket: &str, key: &str) -> Result<(), KeyvalueError> {
        let (entered, key) = (self.enter(call, bucket)?, escape(key)?);
        // What is not there leaves no marker behind: deleting made-up keys does not fill the bucket.
        if entered.bucket.read(&key, call.deadline).await?.value.is_none() {
            return Ok(());
        }
        Ok(entered.bucket.remove(&key, call.deadline).await?)
    }

    async fn exists(&self, call: &CallContext, bucket: &str, key: &str) -> Result<bool, KeyvalueError> {
        self.get(call, bucket, key).await.map(|value| value.is_some())
    }

    async fn list_keys(
        &self,
        call: &CallContext,
        bucket: &str,
        cursor: Option<u64>,
    ) -> Result<KeyPage, KeyvalueError> {
        let entered = self.enter(call, bucket)?;
        self.listings.page(&entered.bucket, cursor, call.deadline).await
    }

    async fn increment(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        delta: i64,
    ) -> Result<i64, KeyvalueError> {
        let (entered, key) = (self.enter(call, bucket)?, escape(key)?);
        self.increments.add(&entered.bucket, &key, delta, call.deadline).await
    }
}
