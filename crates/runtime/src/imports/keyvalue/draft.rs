//! `wasi:keyvalue@0.2.0-draft`: numeric cursors, unsigned increments.

use lattice_contracts::keyvalue::KeyvalueError;
use wasmtime::component::{HasSelf, Linker, Resource};

use self::generated::wasi::keyvalue::{
    atomics, batch,
    store::{self, Error, KeyResponse},
};
use super::{Bucket, Failure, bound, name};
use crate::guest::Guest;

#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
mod generated {
    wasmtime::component::bindgen!({
        path: "wit/keyvalue-draft",
        world: "imports",
        imports: { default: async | trappable },
        require_store_data_send: true,
        with: { "wasi:keyvalue/store.bucket": crate::imports::keyvalue::Bucket },
    });
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
        cursor: Option<u64>,
    ) -> wasmtime::Result<Result<KeyResponse>> {
        let bucket = name(self, &bucket)?;
        let bound = bound(self, "store");
        Ok(async {
            let bound = bound?;
            let page = bound.implementation.list_keys(&bound.call, &bucket, cursor).await?;
            Ok(KeyResponse { keys: page.keys, cursor: page.cursor })
        }
        .await)
    }
}

impl atomics::Host for Guest {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> wasmtime::Result<Result<u64>> {
        let bucket = name(self, &bucket)?;
        let bound = bound(self, "atomics");
        Ok(async {
            let Ok(delta) = i64::try_from(delta) else {
                return Err(Error::Other(format!(
                    "a counter cannot be incremented by {delta}: that overflows"
                )));
            };
            let bound = bound?;
            let sum = bound.implementation.increment(&bound.call, &bucket, &key, delta).await?;
            u64::try_from(sum).map_err(|_| Error::Other(format!("the counter is negative: {sum}")))
        }
        .await)
    }
}

impl batch::Host for Guest {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<Option<(String, Vec<u8>)>>>> {
        let bucket = name(self, &bucket)?;
        let (bound, lent) = (bound(self, "batch"), self.limiter.lend());
        Ok(async {
            let found = super::get_many(&bound?, &bucket, keys, lent).await?;
            Ok(found.into_iter().map(|(key, value)| Some((key, value?))).collect())
        }
        .await)
    }

    batch_writes!();
}
