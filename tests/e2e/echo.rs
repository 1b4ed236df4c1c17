//! The echo actor of 2021, member for member.

use lattice_tests::Stage;
use serde_json::json;

#[tokio::test]
async fn a_request_comes_back_as_it_was_in_2021() {
    let stage = Stage::set().await;
    let (_host, _id, address) = stage.serving(&[], "echo", 4).await;
    let url = format!("http://{address}/some/path%20here?a=1&b=%C3%BC");
    let headers = [("x-one", "1"), ("x-two", "a"), ("x-two", "b")];
    let answer = stage.http.send("PUT", &url, &headers, &b"h\xffi"[..]).await.unwrap();
    assert_eq!((answer.status, answer.headers["content-type"].as_bytes()), (200, &b"application/json"[..]));
    let echo = answer.json();
    let members: Vec<&String> = echo.as_object().unwrap().keys().collect();
    assert_eq!(members, ["method", "path", "query_string", "headers", "body"]);
    assert_eq!(echo["method"], "PUT");
    assert_eq!(echo["path"], "/some/path%20here");
    assert_eq!(echo["query_string"], "a=1&b=%C3%BC");
    assert_eq!(echo["body"], json!([b'h', 0xff, b'i']));
    assert_eq!((&echo["headers"]["x-one"], &echo["headers"]["x-two"]), (&json!("1"), &json!("a, b")));
    // An empty body is an empty array.
    let answer = stage.http.get(&format!("http://{address}/")).await.unwrap();
    let echo = answer.json();
    assert_eq!(
        (&echo["method"], &echo["query_string"], &echo["body"]),
        (&json!("GET"), &json!(""), &json!([]))
    );
}
