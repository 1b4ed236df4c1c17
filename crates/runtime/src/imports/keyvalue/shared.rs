//! What the two generations do alike. Each has generated traits and types of its own under the same names, which no
//! generic function reaches; a macro does.

/// An implementation's error as the generation's own.
macro_rules! errors_of_this_generation {
    () => {
        impl From<KeyvalueError> for Error {
            fn from(error: KeyvalueError) -> Self {
                Failure::from(error).into()
            }
        }

        impl From<Failure> for Error {
            fn from(failure: Failure) -> Self {
                match failure {
                    Failure::NoSuchStore => Error::NoSuchStore,
                    Failure::AccessDenied => Error::AccessDenied,
                    Failure::Other(reason) => Error::Other(reason),
                }
            }
        }
    };
}

/// `store`: opening a bucket.
macro_rules! opening {
    () => {
        impl store::Host for Guest {
            async fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<Bucket>>> {
                let bound = match bound(self, "store") {
                    Ok(bound) => bound,
                    Err(error) => return Ok(Err(error.into())),
                };
                if let Err(error) = bound.implementation.open(&bound.call, &identifier).await {
                    return Ok(Err(error.into()));
                }
                Ok(Ok(self.table().push(Bucket { name: identifier })?))
            }
        }
    };
}

/// `store`: the methods of a bucket for single values, and its end.
macro_rules! values {
    () => {
        async fn get(
            &mut self,
            bucket: Resource<Bucket>,
            key: String,
        ) -> wasmtime::Result<Result<Option<Vec<u8>>>> {
            let bucket = name(self, &bucket)?;
            let bound = bound(self, "store");
            Ok(async {
                let bound = bound?;
                Ok(bound.implementation.get(&bound.call, &bucket, &key).await?.map(Vec::from))
            }
            .await)
        }

        async fn set(
            &mut self,
            bucket: Resource<Bucket>,
            key: String,
            value: Vec<u8>,
        ) -> wasmtime::Result<Result<()>> {
            let bucket = name(self, &bucket)?;
            let bound = bound(self, "store");
            Ok(async {
                let bound = bound?;
                Ok(bound.implementation.set(&bound.call, &bucket, &key, value.into()).await?)
            }
            .await)
        }

        async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<()>> {
            let bucket = name(self, &bucket)?;
            let bound = bound(self, "store");
            Ok(async {
                let bound = bound?;
                Ok(bound.implementation.delete(&bound.call, &bucket, &key).await?)
            }
            .await)
        }

        async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<bool>> {
            let bucket = name(self, &bucket)?;
            let bound = bound(self, "store");
            Ok(async {
                let bound = bound?;
                Ok(bound.implementation.exists(&bound.call, &bucket, &key).await?)
            }
            .await)
        }

        async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
            self.table().delete(bucket)?;
            Ok(())
        }
    };
}

/// `batch`: writing and deleting.
macro_rules! batch_writes {
    () => {
        async fn set_many(
            &mut self,
            bucket: Resource<Bucket>,
            pairs: Vec<(String, Vec<u8>)>,
        ) -> wasmtime::Result<Result<()>> {
            let bucket = name(self, &bucket)?;
            let bound = bound(self, "batch");
            Ok(async { Ok(super::set_many(&bound?, &bucket, pairs).await?) }.await)
        }

        async fn delete_many(
            &mut self,
            bucket: Resource<Bucket>,
            keys: Vec<String>,
        ) -> wasmtime::Result<Result<()>> {
            let bucket = name(self, &bucket)?;
            let bound = bound(self, "batch");
            Ok(async { Ok(super::delete_many(&bound?, &bucket, keys).await?) }.await)
        }
    };
}
