//! Calling functions of actors by hand, with `wash call`.

use lattice_tests::{Said, Stage};
use serde_json::json;

async fn fails(stage: &Stage, code: i32, args: &[&str]) -> Said {
    let said = stage.wash(args).await;
    assert_eq!(said.code, code, "wash {args:?}: {}", said.text);
    said
}

async fn says(stage: &Stage, args: &[&str]) -> String {
    fails(stage, 0, args).await.text.trim_end().to_owned()
}

#[tokio::test]
async fn functions_are_called_with_values_as_text() {
    let stage = Stage::set().await;
    let (host, id) = stage.host(&[]).await;
    stage.start_actor(&id, "calculator", &stage.signer.example("calculator"), 4).await.unwrap();
    for (args, want) in [
        (&["demo:calls/math.add", "2", "3"][..], "some(5)"),
        (&["demo:calls/math@0.1.0.add", "4294967295", "1"], "none"),
        (&["demo:calls/math.middle", "{x: 0, y: 0}", "{x: 4, y: -10}"], "{x: 2, y: -5}"),
        (&["demo:calls/math.largest", "[3, -1, 7]"], "some(7)"),
        (&["demo:calls/math.divide", "7", "0"], "err(\"7 cannot be divided by zero\")"),
        (&["greet", "\"you\""], "\"Hello, you!\""),
        (&["demo:calls/math.rest"], "done; the function returns nothing"),
    ] {
        assert_eq!(says(&stage, &[&["call", "calculator"], args].concat()).await, want, "{args:?}");
    }
    let call = ["ctl", "call", "calculator", "demo:calls/math.add", "2", "3", "-o", "json"];
    let said = fails(&stage, 0, &call).await.json();
    assert_eq!((&said["success"], &said["result"]), (&json!(true), &json!("some(5)")));
    assert_eq!((&said["host_id"], &said["component_id"]), (&json!(id.as_str()), &json!("calculator")));

    // Values that are none, and functions that are not there.
    for (args, said) in [
        (&["demo:calls/math.add", "2", "three"][..], "argument b of demo:calls/math@0.1.0.add is no u32"),
        (&["demo:calls/math.add", "2"], "takes 2 arguments, not 1"),
        (
            &["demo:calls/math.halve", "2"],
            "demo:calls/math@0.1.0.divide: func(a: u32, b: u32) -> result<u32, string>",
        ),
        (&["demo:calls/tally.open"], "resource"),
        (&["greet", "you"], "in double quotes"),
    ] {
        let failed = fails(&stage, 1, &[&["call", "calculator"], args].concat()).await;
        assert!(failed.text.contains(said) && failed.text.contains("protocol"), "{args:?}: {}", failed.text);
    }
    let failed = fails(&stage, 1, &["call", "calculator"]).await;
    assert!(failed.text.contains("exports no wasi:http/incoming-handler"), "{}", failed.text);

    // A trap names the invocation, which the host's log knows.
    let call = ["call", "calculator", "demo:calls/math.give-up", "-o", "json"];
    let failed = fails(&stage, 1, &call).await.json();
    let error = failed["error"].as_str().unwrap();
    let invocation = error.split("invocation ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(error.starts_with("actor calculator: trap: ") && invocation.len() == 32, "{error}");
    assert!(host.process.output().contains(invocation));
    stage.until_idle(&id, "calculator").await;
}

#[tokio::test]
async fn http_handlers_are_called_without_a_server() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    for actor in ["hello", "echo", "misbehave"] {
        stage.start_actor(&id, actor, &stage.signer.example(actor), 2).await.unwrap();
    }
    assert_eq!(says(&stage, &["call", "hello"]).await, "Hello from the lattice!");
    let call = ["call", "hello", "wasi:http/incoming-handler.handle", "-o", "json"];
    let said = fails(&stage, 0, &call).await.json();
    assert_eq!(said["http"]["status"], 200);
    assert_eq!(said["http"]["body"], "Hello from the lattice!\n");
    let call = ["call", "echo", "--http-method", "PUT", "--http-path", "/a?b=c", "--http-header", "x-one=1"];
    let said = says(&stage, &[&call[..], &["--http-body", "hi"]].concat()).await;
    let echo: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&echo["method"], &echo["path"], &echo["query_string"]),
        (&json!("PUT"), &json!("/a"), &json!("b=c"))
    );
    assert_eq!((&echo["body"], &echo["headers"]["x-one"]), (&json!(b"hi"), &json!("1")));

    let failed = fails(&stage, 1, &["call", "misbehave", "--http-path", "/trap"]).await;
    assert!(failed.text.contains("actor misbehave: trap: invocation "), "{}", failed.text);
    // It gives up when its caller does.
    let call = ["call", "misbehave", "--http-path", "/sleep?ms=20000", "--wait-timeout-ms", "300"];
    let failed = fails(&stage, 1, &call).await;
    assert!(failed.text.contains("deadline"), "{}", failed.text);
    stage.until_idle(&id, "misbehave").await;

    let failed = fails(&stage, 1, &["call", "nobody"]).await;
    assert!(
        failed.text.contains("runs actor nobody") && failed.text.contains("wash start actor"),
        "{}",
        failed.text
    );
    let failed = fails(&stage, 1, &["call", "nobody", "--host-id", id.as_str()]).await;
    assert!(failed.text.contains("unreachable: actor nobody does not run on this host"), "{}", failed.text);
}

#[tokio::test]
async fn a_call_that_cannot_be_read_is_refused() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    let subject = format!("wasmbus.ctl.v1.default.component.call.{id}");
    for body in [
        "",
        "{}",
        "[1]",
        "{\"component_id\": \"a\"}",
        "{\"component_id\": \"a\", \"http\": {\"path\": \"x\"}}",
    ] {
        let within = std::time::Duration::from_secs(10);
        let answer =
            stage.connection.request(&subject, body.as_bytes().to_vec().into(), within).await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["success"], false, "{body}: {answer}");
        assert_ne!(answer["message"], "", "{body}: {answer}");
    }
}
