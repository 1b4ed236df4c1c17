use crate::{User, component};

/// A user who has signed `hello.wasm`.
fn signed() -> User {
    let user = User::new();
    user.write("hello.wasm", component());
    let args = ["claims", "sign", "hello.wasm", "--name", "hello", "--ver", "0.1.0", "--rev", "1"];
    assert_eq!(user.wash(&args).code, 0);
    user
}

#[test]
fn signing_makes_keys_once_and_says_so() {
    let user = User::new();
    user.write("hello.wasm", component());
    let sign = ["claims", "sign", "hello.wasm", "--name", "hello", "-t", "a", "-t", "b", "-a", "Say Hello"];
    insta::assert_snapshot!("first", user.wash(&sign).transcript());
    insta::assert_snapshot!("again", user.wash(&sign).transcript());
    insta::assert_snapshot!("inspected", user.wash(&["claims", "inspect", "hello_s.wasm"]).transcript());
    assert_eq!(std::fs::read(user.path().join("hello.wasm")).unwrap(), component(), "the input stays");
}

#[test]
fn the_fields_of_2021_are_in_the_json() {
    let user = signed();
    let claims = user.json(&["claims", "inspect", "hello_s.wasm"]);
    let keys = [
        "account",
        "module",
        "expires",
        "can_be_used",
        "version",
        "revision",
        "capabilities",
        "tags",
        "call_alias",
    ];
    for key in keys {
        assert!(claims.get(key).is_some(), "{key}");
    }
    assert_eq!((&claims["expires"], &claims["can_be_used"]), (&"never".into(), &"immediately".into()));
    assert_eq!(claims["signature"]["trusted"], true);
}

#[test]
fn keys_from_flags_and_files_in_place_of_ones_own() {
    let user = User::new();
    user.write("a.wasm", component());
    let account = user.json(&["keys", "gen", "account"]);
    let module = user.json(&["keys", "gen", "module"]);
    let text = |key: &serde_json::Value, field: &str| key[field].as_str().unwrap().to_owned();
    user.write("account.nk", text(&account, "seed"));
    for issuer in [text(&account, "seed").as_str(), "account.nk"] {
        for subject in [text(&module, "seed"), text(&module, "public_key")] {
            let args =
                ["claims", "sign", "a.wasm", "-n", "a", "-i", issuer, "-s", &subject, "-d", "out.wasm"];
            let done = user.wash(&[&args[..], &["-o", "json"]].concat());
            let done: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
            assert_eq!(done["account"], account["public_key"]);
            assert_eq!(done["module"], module["public_key"]);
        }
    }
    assert!(!user.path().join(".wash").exists(), "nothing was made");
    let claims = user.json(&["claims", "inspect", "out.wasm"]);
    assert_eq!(claims["signature"]["valid"], true);
    assert_eq!(claims["signature"]["trusted"], false, "well signed, but by a key that is not the user's");
}

#[test]
fn no_keys_are_made_where_that_is_forbidden() {
    let user = User::new();
    user.write("a.wasm", component());
    insta::assert_snapshot!(
        user.wash(&["claims", "sign", "a.wasm", "-n", "a", "--disable-keygen"]).transcript()
    );
    assert!(!user.path().join(".wash").exists());
}

#[test]
fn what_can_be_signed_with_and_what_not() {
    let user = User::new();
    user.write("a.wasm", component());
    let key = |kind: &str, field: &str| user.json(&["keys", "gen", kind])[field].as_str().unwrap().to_owned();
    let user_seed = key("user", "seed");
    let public = key("account", "public_key");
    let seed = key("account", "seed");
    let damaged = format!("{}{}", &seed[..57], if seed.ends_with('A') { 'E' } else { 'A' });
    for (issuer, part) in [
        (user_seed.as_str(), "key of kind user"),
        (public.as_str(), "seed"),
        (damaged.as_str(), "seed"),
        ("nobody", "neither a seed, nor a file, nor a key"),
    ] {
        let error = user.json_error(&["claims", "sign", "a.wasm", "-n", "a", "-i", issuer]).to_string();
        assert!(error.contains(part), "{issuer}: {error}");
        assert!(!error.contains(&damaged), "a seed is never repeated: {error}");
    }
}

#[test]
fn capabilities_of_2021_are_refused_with_the_reason() {
    let user = User::new();
    user.write("a.wasm", component());
    let sign = |flags: &[&str]| user.wash(&[&["claims", "sign", "a.wasm", "-n", "a"], flags].concat());
    insta::assert_snapshot!(sign(&["-k", "-q", "-c", "acme:thing"]).transcript());
    for flag in ["-g", "-f", "-z", "-l", "-e", "-p", "--http_client", "--http_server"] {
        assert_eq!(sign(&[flag]).code, 2, "{flag}");
    }
    assert!(!user.path().join("a_s.wasm").exists());
}

#[test]
fn what_is_no_actor_is_not_signed() {
    let user = User::new();
    user.write("text.wasm", "(module)");
    user.write("short.wasm", &component()[..20]);
    insta::assert_snapshot!("text", user.wash(&["claims", "sign", "text.wasm", "-n", "a"]).transcript());
    assert_eq!(user.json_error(&["claims", "sign", "short.wasm", "-n", "a"])["exit_code"], 1);
    insta::assert_snapshot!("missing", user.wash(&["claims", "sign", "none.wasm", "-n", "a"]).transcript());
}

#[test]
fn what_cannot_be_signed_leaves_no_key() {
    let user = User::new();
    user.write("short.wasm", &component()[..20]);
    user.write("good.wasm", component());
    let user_seed = user.json(&["keys", "gen", "user"])["seed"].as_str().unwrap().to_owned();
    for (args, code) in [
        (&["short.wasm", "-n", "a"][..], 1),
        (&["good.wasm", "-n", ""], 2),
        (&["good.wasm", "-n", "a", "-x", "1", "-b", "2"], 1),
        (&["good.wasm", "-n", "a", "-i", &user_seed], 1),
    ] {
        assert_eq!(user.wash(&[&["claims", "sign"], args].concat()).code, code, "{args:?}");
        assert!(!user.path().join(".wash").exists(), "{args:?}");
    }
    for name in ["a b", ""] {
        assert_eq!(user.wash(&["keys", "gen", "account", "--name", name]).code, 2, "{name:?}");
    }
}

#[test]
fn pipes_are_not_waited_for() {
    let user = User::new();
    let pipe = user.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for args in [&["claims", "inspect", "./pipe"][..], &["apply", "./pipe"]] {
        assert!(matches!(user.wash(args).code, 1 | 2), "{args:?}");
    }
}

#[test]
fn a_changed_file_is_shown_as_changed() {
    let user = signed();
    let mut bytes = std::fs::read(user.path().join("hello_s.wasm")).unwrap();
    let at = bytes.windows(4).position(|part| part == b"http").unwrap();
    bytes[at..at + 4].copy_from_slice(b"htqp");
    user.write("changed.wasm", &bytes);
    let claims = user.json(&["claims", "inspect", "changed.wasm"]);
    assert_eq!(claims["signature"]["valid"], false);
    assert!(claims["signature"]["problem"].as_str().unwrap().contains("changed after it was signed"));
}

#[test]
fn times_are_shown_as_distances() {
    let user = User::new();
    user.write("a.wasm", component());
    let sign = |flags: &[&str]| user.wash(&[&["claims", "sign", "a.wasm", "-n", "a"], flags].concat());
    assert_eq!(sign(&["-x", "3", "-b", "1"]).code, 0);
    let claims = user.json(&["claims", "inspect", "a_s.wasm"]);
    // Whole days and hours, since a second of them may have gone.
    assert!(["in 3 days", "in 2 days"].contains(&claims["expires"].as_str().unwrap()), "{claims}");
    assert!(claims["can_be_used"].as_str().unwrap().contains("hours"));
    assert_eq!(claims["signature"]["valid"], false, "not yet");
    let text = user.wash(&["claims", "inspect", "a_s.wasm"]).stdout;
    assert!(text.contains("right, but not now") && !text.contains("WRONG"), "{text}");
    assert_eq!(sign(&["-x", "1", "-b", "2"]).code, 1);
    assert_eq!(sign(&["-x", "0"]).code, 2);
}

#[test]
fn the_token_alone_and_an_unsigned_file() {
    let user = signed();
    let token = user.wash(&["claims", "inspect", "hello_s.wasm", "--jwt-only"]).stdout;
    assert_eq!(token.matches('.').count(), 2);
    user.write("token.jwt", &token);
    let claims = user.json(&["claims", "inspect", "token.jwt"]);
    assert_eq!(claims["name"], "hello");
    insta::assert_snapshot!(user.wash(&["claims", "inspect", "hello.wasm"]).transcript());
}

#[test]
fn tokens_of_every_kind() {
    let user = User::new();
    for (args, issuer, subject) in [
        (&["actor", "-r", "1", "-v", "0.1", "-a", "echo"][..], 'A', 'M'),
        (&["provider", "--vendor", "acme"][..], 'A', 'V'),
        (&["account"][..], 'O', 'A'),
        (&["operator"][..], 'O', 'O'),
        (&["cluster"][..], 'O', 'C'),
        (&["host", "-l", "zone=a"][..], 'A', 'N'),
    ] {
        let arguments = [&["claims", "token"], args, &["-n", "x", "-o", "json"]].concat();
        let ended = user.wash(&arguments);
        let token: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
        assert!(
            token["issuer"].as_str().is_some_and(|key| key.starts_with(issuer)),
            "{args:?} {}",
            ended.stderr
        );
        assert!(token["subject"].as_str().is_some_and(|key| key.starts_with(subject)), "{args:?}");
        user.write("token.jwt", token["token"].as_str().unwrap());
        let claims = user.json(&["claims", "inspect", "token.jwt"]);
        assert_eq!(
            (&claims["name"], &claims["signature"]["trusted"]),
            (&"x".into(), &true.into()),
            "{args:?}"
        );
    }
}
