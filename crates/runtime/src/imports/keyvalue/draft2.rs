//! `wasi:keyvalue@0.2.0-draft2`: text cursors, signed increments, compare-and-swap.

use bytes::Bytes;
use lattice_contracts::keyvalue::{KeyvalueError, Versioned};
use wasmtime::component::{HasSelf, Linker, Resource};

use self::generated::wasi::keyvalue::{
    atomics::{self, CasError},
    batch,
    store::{self, Error, KeyResponse},
};
use super::{Bucket, Failure, bound, name};
use crate::guest::Guest;

#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
mod generated {
    wasmtime::component::bindgen!({
        path: "wit/keyvalue-draft2",
        world: "imports",
        imports: { default: async | trappable },
        require_store_data_send: true,
        with: { "wasi:keyvalue/store.bucket": crate::imports::keyvalue::Bucket, "wasi:keyvalue/atomics.cas": crate::imports::keyvalue::draft2::Cas },
    });
}

/// The resource `cas`: a key with the value and revision it had when it was looked at.
#[allow(unreachable_pub, reason = "the generated code exports it")]
pub struct Cas {
    bucket: String,
    key: String,
    seen: Versioned,
}

type Result<T, E = Error> = std::result::Result<T, E>;

errors_of_this_generation!();

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    atomics::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    batch::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}

opening!();

impl store::HostBucket for Guest {
    values!();

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> wasmtime::Result<Result<KeyResponse>> {
        let bucket = name(self, &bucket)?;
        let bound = bound(self, "store");
        Ok(async {
            let cursor = match cursor.map(|text| text.parse::<u64>().map_err(|_| text)).transpose() {
                Ok(cursor) => cursor,
                Err(text) => {
                    return Err(Error::Other(format!("{text:?} is not a cursor of an earlier page")));
                }
            };
            let bound = bound?;
            let page = bound.implementation.list_keys(&bound.call, &bucket, cursor).await?;
            Ok(KeyResponse { keys: page.keys, cursor: page.cursor.map(|cursor| cursor.to_string()) })
        }
        .await)
    }
}

impl atomics::Host for Guest {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64>> {
        let bucket = name(self, &bucket)?;
        let bound = bound(self, "atomics");
        Ok(async {
            let bound = bound?;
            Ok(bound.implementation.increment(&bound.call, &bucket, &key, delta).await?)
        }
        .await)
    }

    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), CasError>> {
        let Cas { bucket, key, seen } = self.table().delete(cas)?;
        self.limiter.release(size(&seen));
        let bound = bound(self, "atomics");
        let swapped = async {
            let bound = bound?;
            let implementation = &bound.implementation;
            if implementation.swap(&bound.call, &bucket, &key, seen.revision, value.into()).await? {
                return Ok(None);
            }
            // Somebody was faster: the guest gets a handle on what is there now, to try again with.
            implementation.get_versioned(&bound.call, &bucket, &key).await.map(Some)
        }
        .await;
        Ok(match swapped {
            Ok(None) => Ok(()),
            Ok(Some(seen)) => match keep(self, bucket, key, seen)? {
                Ok(cas) => Err(CasError::CasFailed(cas)),
                Err(error) => Err(CasError::StoreError(error)),
            },
            Err(error) => Err(CasError::StoreError(KeyvalueError::into(error))),
        })
    }
}

impl atomics::HostCas for Guest {
    async fn new(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Resource<Cas>>> {
        let bucket = name(self, &bucket)?;
        let bound = bound(self, "atomics");
        let seen = async {
            let bound = bound?;
            bound.implementation.get_versioned(&bound.call, &bucket, &key).await
        }
        .await;
        Ok(match seen {
            Ok(seen) => keep(self, bucket, key, seen)?,
            Err(error) => Err(error.into()),
        })
    }

    async fn current(&mut self, cas: Resource<Cas>) -> wasmtime::Result<Result<Option<Vec<u8>>>> {
        Ok(Ok(self.table().get(&cas)?.seen.value.clone().map(Vec::from)))
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        let cas = self.table().delete(cas)?;
        self.limiter.release(size(&cas.seen));
        Ok(())
    }
}

impl batch::Host for Guest {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<(String, Option<Vec<u8>>)>>> {
        let bucket = name(self, &bucket)?;
        let (bound, lent) = (bound(self, "batch"), self.limiter.lend());
        Ok(async {
            let found = super::get_many(&bound?, &bucket, keys, lent).await?;
            Ok(found)
        }
        .await)
    }

    batch_writes!();
}

/// A handle on what was seen. The host holds the value for as long, so it counts as the guest's memory.
fn keep(
    guest: &mut Guest,
    bucket: String,
    key: String,
    seen: Versioned,
) -> wasmtime::Result<Result<Resource<Cas>>> {
    if !guest.limiter.hold(size(&seen)) {
        return Ok(Err(Error::Other("the actor holds more values than its memory limit allows".to_owned())));
    }
    Ok(Ok(guest.table().push(Cas { bucket, key, seen })?))
}

fn size(seen: &Versioned) -> usize {
    seen.value.as_ref().map_or(0, Bytes::len)
}
