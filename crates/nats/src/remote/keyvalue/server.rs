//! The contract, served: a request is read, carried out by a provider of this process, and answered.

use bytes::Bytes;
use lattice_contracts::{
    CallContext,
    keyvalue::{Keyvalue, KeyvalueError},
};
use lattice_core::{CallError, ErrorCode, Hop};

use super::operation::{Operation, Outcome, What, encode_results, has};
use crate::{
    Inbound, Outbound,
    remote::{Function, values},
};

/// Lets `provider` carry out the operation that `function` and the bytes of `request` ask for.
///
/// # Errors
/// [`ErrorCode::Protocol`] where it is none, and the error that kept the call from the backend. What the contract itself
/// has an error for is a reply.
pub async fn serve(
    provider: &dyn Keyvalue,
    call: &CallContext,
    function: Function<'_>,
    request: Inbound,
) -> Result<Outbound, CallError> {
    let fail = |code, reason: String| CallError::new(Hop::Provider(call.target.clone().into()), code, reason);
    if !has(function.interface, function.function) {
        let reason = format!("{} has no function {}", function.interface, function.function);
        return Err(fail(ErrorCode::Protocol, reason));
    }
    let params = values::params(request, Hop::Provider(call.target.clone().into())).await?;
    let operation = Operation::decode(function.function, &params)
        .map_err(|error| fail(ErrorCode::Protocol, error.to_string()))?
        .ok_or_else(|| fail(ErrorCode::Protocol, format!("there is no function {}", function.function)))?;
    let outcome = match carry_out(provider, call, &operation).await {
        // It did not reach the provider's backend: the caller's runtime knows what to make of that.
        Err(KeyvalueError::Call(error)) => return Err(error),
        outcome => outcome,
    };
    let results = encode_results(outcome).map_err(|error| fail(ErrorCode::TooLarge, error.to_string()))?;
    Ok(values::reply(&results))
}

/// Lets `provider` carry an operation out.
pub(super) async fn carry_out(
    provider: &dyn Keyvalue,
    call: &CallContext,
    operation: &Operation<'_>,
) -> Result<Outcome, KeyvalueError> {
    let bucket = operation.bucket;
    Ok(match operation.what {
        What::Open => {
            provider.open(call, bucket).await?;
            Outcome::Done
        }
        What::Get { key } => Outcome::Value(provider.get(call, bucket, key).await?),
        What::GetVersioned { key } => Outcome::Versioned(provider.get_versioned(call, bucket, key).await?),
        What::Set { key, value } => {
            provider.set(call, bucket, key, Bytes::copy_from_slice(value)).await?;
            Outcome::Done
        }
        What::Swap { key, revision, value } => {
            let value = Bytes::copy_from_slice(value);
            Outcome::Flag(provider.swap(call, bucket, key, revision, value).await?)
        }
        What::Delete { key } => {
            provider.delete(call, bucket, key).await?;
            Outcome::Done
        }
        What::Exists { key } => Outcome::Flag(provider.exists(call, bucket, key).await?),
        What::ListKeys { cursor } => Outcome::Keys(provider.list_keys(call, bucket, cursor).await?),
        What::Increment { key, delta } => {
            Outcome::Number(provider.increment(call, bucket, key, delta).await?)
        }
    })
}
