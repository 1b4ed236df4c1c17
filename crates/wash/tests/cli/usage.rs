use crate::User;

#[test]
fn help_and_version_succeed_and_nonsense_is_usage() {
    let user = User::new();
    for args in [&["--help"][..], &["--version"][..], &["keys", "gen", "--help"][..], &["help", "claims"][..]]
    {
        let ended = user.wash(args);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{args:?}");
    }
    let ended = user.wash(&["nonsense"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    let error = user.json_error(&["nonsense"]);
    assert_eq!((&error["code"], &error["exit_code"]), (&"usage".into(), &2.into()));
    assert!(error["error"].as_str().unwrap().contains("nonsense"));
}

#[test]
fn completions_for_every_shell() {
    let user = User::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = user.wash(&["completions", shell]);
        assert_eq!(ended.code, 0);
        assert!(ended.stdout.contains("inspect"), "{shell}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_wash"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.is_empty()), (Some(0), true));
}

#[test]
fn what_is_typed_goes_before_the_environment() {
    let user = User::new();
    let url = ("WASMCLOUD_NATS_URL", "nats://127.0.0.1:9");
    for (args, env, server) in [
        (&["get", "hosts"][..], &[url][..], "127.0.0.1:9"),
        (&["get", "hosts", "-p", "8"], &[url, ("WASMCLOUD_NATS_PORT", "7")], "127.0.0.1:8"),
        (&["get", "hosts", "--ctl-host", "127.0.0.2"], &[url, ("WASMCLOUD_CTL_PORT", "6")], "127.0.0.2:6"),
        (
            &["ctl", "get", "hosts"],
            &[("WASMCLOUD_NATS_PORT", "7"), ("WASMCLOUD_NATS_HOST", "")],
            "127.0.0.1:7",
        ),
    ] {
        let ended = user.wash_with(args, env);
        assert!(ended.code == 3 && ended.stderr.contains(server), "{args:?} {env:?}: {}", ended.stderr);
    }
    assert_eq!(user.wash_with(&["get", "hosts"], &[("WASMCLOUD_NATS_PORT", "many")]).code, 2);
}
