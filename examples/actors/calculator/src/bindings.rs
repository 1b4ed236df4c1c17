//! The generated bindings.
#![allow(missing_docs, unreachable_pub, reason = "generated")]

wit_bindgen::generate!({ path: "wit" });
