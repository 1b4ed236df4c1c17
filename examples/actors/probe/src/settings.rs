//! Configuration and logging, which a host serves itself.

use serde_json::{Map, Value, json};

use crate::bindings::wasi::config0_2_0_draft::runtime;
use crate::bindings::wasi::config0_2_0_rc_1::store;
use crate::bindings::wasi::logging::logging::{Level, log as write_log};

/// The value of `key` through each version of the interface, or everything when there is no key.
pub(crate) fn look_up(key: Option<&str>) -> (u16, Value) {
    let (store, runtime) = match key {
        Some(key) => {
            let store = store::get(key).map(|value| json!(value)).map_err(store_reason);
            (store, runtime::get(key).map(|value| json!(value)).map_err(runtime_reason))
        }
        None => {
            let store = store::get_all().map(object).map_err(store_reason);
            (store, runtime::get_all().map(object).map_err(runtime_reason))
        }
    };
    match (store, runtime) {
        (Ok(store), Ok(runtime)) => (200, json!({ "store": store, "runtime": runtime })),
        (Err(reason), _) | (_, Err(reason)) => (502, json!({ "error": reason })),
    }
}

/// Writes `message` to the log at the named level, `info` when none is named.
pub(crate) fn log(level: Option<&str>, message: &str) -> (u16, Value) {
    let level = match level.unwrap_or("info") {
        "trace" => Level::Trace,
        "debug" => Level::Debug,
        "info" => Level::Info,
        "warn" => Level::Warn,
        "error" => Level::Error,
        "critical" => Level::Critical,
        other => return (400, json!({ "error": format!("no level {other}") })),
    };
    write_log(level, "probe", message);
    (200, json!({ "logged": message }))
}

fn object(pairs: Vec<(String, String)>) -> Value {
    Value::Object(pairs.into_iter().map(|(key, value)| (key, Value::String(value))).collect::<Map<_, _>>())
}

fn store_reason(error: store::Error) -> String {
    match error {
        store::Error::Upstream(reason) | store::Error::Io(reason) => reason,
    }
}

fn runtime_reason(error: runtime::ConfigError) -> String {
    match error {
        runtime::ConfigError::Upstream(reason) | runtime::ConfigError::Io(reason) => reason,
    }
}
