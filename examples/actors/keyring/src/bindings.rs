//! The generated bindings of what is not standard WASI.
#![allow(missing_docs, unreachable_pub, reason = "generated")]

wit_bindgen::generate!({
    path: ["../wit/secrets"],
    inline: "
        package examples:keyring;
        world keyring {
            import wasmcloud:secrets/store@0.1.0-draft;
            import wasmcloud:secrets/reveal@0.1.0-draft;
        }
    ",
    generate_all,
});
