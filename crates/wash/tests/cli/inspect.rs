use crate::{User, component};

#[test]
fn everything_about_a_signed_actor() {
    let user = User::new();
    user.write("hello.wasm", component());
    user.wash(&["claims", "sign", "hello.wasm", "--name", "hello", "--ver", "0.1.0"]);
    insta::assert_snapshot!("text", user.wash(&["inspect", "hello_s.wasm"]).transcript());
    let shown = user.json(&["inspect", "hello_s.wasm"]);
    assert_eq!(shown["imports"], serde_json::json!(["wasi:keyvalue/store@0.2.0-draft"]));
    assert_eq!(shown["exports"], serde_json::json!(["wasi:http/incoming-handler@0.2.0"]));
    assert_eq!((&shown["signed"], &shown["claims"]["signature"]["trusted"]), (&true.into(), &true.into()));
}

#[test]
fn an_unsigned_one_and_a_core_module() {
    let user = User::new();
    user.write("hello.wasm", component());
    insta::assert_snapshot!("unsigned", user.wash(&["inspect", "hello.wasm"]).transcript());
    let module = r#"(module (import "wapc" "__host_call" (func)) (func (export "__guest_call")))"#;
    user.write("old.wasm", wat::parse_str(module).unwrap());
    let shown = user.json(&["inspect", "old.wasm"]);
    assert_eq!(shown["format"], "module");
    assert_eq!(shown["imports"], serde_json::json!(["wapc.__host_call"]));
    assert!(
        user.json_error(&["inspect", "old.wasm", "--wit"])["error"].as_str().unwrap().contains("core module")
    );
}

#[test]
fn the_wit_alone() {
    let user = User::new();
    user.write("hello.wasm", component());
    insta::assert_snapshot!(user.wash(&["inspect", "hello.wasm", "--wit"]).transcript());
}

#[test]
fn what_cannot_be_inspected() {
    let user = User::new();
    user.write("text", "hello");
    assert_eq!(user.json_error(&["inspect", "text"])["exit_code"], 1);
    assert_eq!(user.json_error(&["inspect", "./none.wasm"])["exit_code"], 1);
    assert_eq!(user.json_error(&["inspect", "hello"])["exit_code"], 2);
    user.write("short.wasm", &component()[..20]);
    assert_eq!(user.json_error(&["inspect", "short.wasm"])["exit_code"], 1);
}
