//! The help of every command that talks to a lattice, and how command lines read, as golden files: a change shows in
//! review.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use assert_cmd::Command;

fn wash(args: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("wash").unwrap().env_clear().args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const COMMANDS: &[&str] = &[
    "up",
    "down",
    "apply",
    "get",
    "get hosts",
    "get inventory",
    "get claims",
    "get links",
    "start",
    "start actor",
    "start provider",
    "stop",
    "stop actor",
    "stop provider",
    "stop host",
    "host",
    "host forget",
    "scale",
    "scale actor",
    "call",
    "link",
    "link put",
    "link del",
    "link query",
    "config",
    "config put",
    "config get",
    "config del",
    "trust",
    "trust add",
    "trust del",
    "trust list",
    "role",
    "role add",
    "role del",
    "role list",
    "secret",
    "secret put",
    "secret list",
    "secret del",
    "ctl",
    "ctx",
    "ctx list",
    "ctx show",
    "ctx use",
    "ctx new",
    "ctx del",
    "nats",
    "nats init",
    "nats user",
    "nats user add",
    "nats user list",
    "nats user revoke",
    "nats push",
    "nats permissions",
];

#[test]
fn help_of_every_command() {
    for command in COMMANDS {
        let args: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let (code, help, _) = wash(&args);
        assert_eq!(code, 0, "{command}");
        let longest = help.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        assert!(longest <= 110, "{command}: a line of {longest} characters");
        insta::assert_snapshot!(command.replace(' ', "-"), help);
    }
}

#[test]
fn the_names_of_2021_and_of_v1_are_the_same_commands() {
    for (one, other) in [
        ("get hosts", "ctl get hosts"),
        ("get inventory", "ctl get inventory"),
        ("host forget", "ctl host forget"),
        ("start actor", "ctl start component"),
        ("stop actor", "stop component"),
        ("scale actor", "ctl scale component"),
        ("link query", "ctl link get"),
    ] {
        let help = |command: &str| {
            let args: Vec<&str> = command.split(' ').chain(["--help"]).collect();
            let (code, help, _) = wash(&args);
            assert_eq!(code, 0, "{command}");
            // The usage line has the name as it was typed.
            help.lines().filter(|line| !line.starts_with("Usage:")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(help(one), help(other), "{one} and {other}");
    }
}

/// A port of loopback where nobody listens.
fn nobody() -> String {
    lattice_testkit::free_port().unwrap().to_string()
}

#[test]
fn without_a_lattice_every_command_says_so_and_exits_with_3() {
    let port = nobody();
    for command in [
        "get hosts",
        "get inventory",
        "get claims",
        "ctl get links",
        "start actor localhost:5000/hello:1 hello",
        "start provider builtin://http-server http",
        "stop actor hello",
        "stop actor NABC hello",
        "stop provider http",
        "stop host calm-otter",
        "scale actor calm-otter localhost:5000/hello:1 hello",
        "link put http hello wasi:http path=/hello",
        "link put http hello wasi http --interface incoming-handler",
        "ctl link put echo http wasmcloud:httpserver PORT=8080",
        "link del http wasi http",
        "link query",
        "call hello",
        "call calculator demo:calls/math.add 1 -2",
        "config put web address=127.0.0.1:8080",
        "config get web",
        "config del web",
        "trust add AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "trust del AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA --forget",
        "trust list",
        "role add UAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA operator --hosts site=plant --names shop-*",
        "role del UAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "role list",
        "secret list",
        "secret del token",
    ] {
        let args: Vec<&str> = command.split(' ').chain(["-p", &port]).collect();
        let (code, out, err) = wash(&args);
        assert_eq!((code, out.as_str()), (3, ""), "{command}: {err}");
        assert!(err.contains("no NATS server answers") && err.contains("wash up"), "{command}: {err}");
        let (code, out, err) = wash(&[&args[..], &["-o", "json"]].concat());
        assert_eq!((code, out.as_str()), (3, ""), "{command}");
        let json: serde_json::Value =
            serde_json::from_str(&err).unwrap_or_else(|_| panic!("{command}: {err}"));
        assert_eq!((&json["success"], &json["code"]), (&false.into(), &"unreachable".into()), "{command}");
    }
}

#[test]
fn command_lines_that_make_no_sense_exit_with_2() {
    for command in [
        "get",
        "get everything",
        "secret put token value",
        "secret put a.b",
        "start actor",
        "start actor hello",
        "start actor builtin://http-server x",
        "start provider ./archive.par.gz",
        "start actor ./a.wasm a.b",
        "start actor ./a.wasm a --concurrency 0",
        "stop actor",
        "config put web",
        "config put web novalue",
        "link put",
        "get hosts -x a.b",
        "get hosts -t 0",
        "trust add",
        "trust add hello",
        "role add UAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA emperor",
        "role add UAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA operator --hosts plant",
        "trust del UAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "call",
        "call calculator greet you --http-path /",
        "up --label novalue",
        "apply",
    ] {
        let (code, out, err) = wash(&command.split(' ').collect::<Vec<_>>());
        assert_eq!((code, out.as_str()), (2, ""), "{command}: {err}");
    }
}

#[test]
fn a_manifest_with_errors_is_refused_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.yaml");
    std::fs::write(&file, "app: a\nactors:\n  - name: hello\n    imgae: ./x.wasm\n").unwrap();
    let file = file.to_str().unwrap();
    for command in ["apply", "up"] {
        let (code, _, err) = wash(&[command, "-m", file]);
        assert_eq!(code, 1, "{err}");
        assert!(err.contains("imgae: ./x.wasm") && err.contains("did you mean \"image\"?"), "{err}");
        let (_, _, err) = wash(&[command, "-m", file, "-o", "json"]);
        let json: serde_json::Value = serde_json::from_str(&err).unwrap();
        assert!(json["error"].as_str().unwrap().contains(":4:5: an actor has no field"), "{err}");
    }
    let (code, _, err) = wash(&["apply", "-m", "nothing.yaml"]);
    assert!(code == 1 && err.contains("nothing.yaml"), "{err}");
}
