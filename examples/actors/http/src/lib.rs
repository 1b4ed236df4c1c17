//! What the example actors share: reading requests and writing responses over `wasi:http`.

mod query;
mod request;
mod response;

pub use query::query_value;
pub use request::{BODY_BYTES_MAX, BodyError, read_body, split_target};
pub use response::{BodyWriter, respond, start};
