//! The generated bindings of what is not standard WASI.
#![allow(missing_docs, unreachable_pub, reason = "generated")]

wit_bindgen::generate!({
    path: ["../wit/config-draft", "../wit/config-rc1", "../wit/logging"],
    inline: "
        package examples:probe;
        world probe {
            import wasi:config/runtime@0.2.0-draft;
            import wasi:config/store@0.2.0-rc.1;
            import wasi:logging/logging@0.1.0-draft;
        }
    ",
    generate_all,
});
