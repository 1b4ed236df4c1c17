use std::fs;

use crate::User;

/// A port on which nobody listens.
const NOWHERE: &str = "127.0.0.1:9";

#[test]
fn flags_of_the_first_server_are_refused_for_a_site_that_joins_it_later() {
    let user = User::new();
    user.write("file.pem", "");
    user.json(&["nats", "init", "hub"]);
    for (flags, flag, instead) in [
        (&["--name", "x"][..], "--name", "--site"),
        (&["--listen", "127.0.0.1:1"], "--listen", "--site-listen"),
        (&["--leaf-listen", "127.0.0.1:1"], "--leaf-listen", "sites join the first server"),
        (&["--address", "x.example"], "--address", "--site-address"),
        (&["--unsigned-control"], "--unsigned-control", "all sites"),
        (&["--tls-cert", "file.pem", "--tls-key", "file.pem"], "--tls-cert", "--site-tls-cert"),
    ] {
        let error = user.json_error(&[&["nats", "init", "hub", "--site", "plant"], flags].concat());
        assert_eq!(error["exit_code"], 2, "{error}");
        let (said, help) = (error["error"].as_str().unwrap(), error["help"].as_str().unwrap());
        assert!(said.starts_with(flag) && help.contains(instead), "{error}");
    }
    assert!(!user.path().join("hub/sites/plant").exists(), "nothing was made");
}

#[test]
fn flags_of_a_site_are_refused_without_one() {
    let user = User::new();
    for flags in [
        &["--site-listen", "127.0.0.1:1"][..],
        &["--site-address", "x.example"],
        &["--site-tls-cert", "a.pem", "--site-tls-key", "b.pem"],
    ] {
        let error = user.json_error(&[&["nats", "init", "hub"], flags].concat());
        assert!(error["exit_code"] == 2 && error["error"].as_str().unwrap().contains("--site"), "{error}");
    }
    assert!(!user.path().join("hub").exists(), "nothing was made");
}

#[test]
fn both_at_once_each_with_its_own_flags() {
    let user = User::new();
    for file in ["hub.pem", "hub.key", "plant.pem", "plant.key"] {
        user.write(file, file);
    }
    let first =
        ["--listen", "0.0.0.0:4333", "--tls-cert", "hub.pem", "--tls-key", "hub.key", "--tls-ca", "hub.pem"];
    let site = ["--site", "plant", "--site-listen", "0.0.0.0:4444", "--site-address", "plant.example"];
    let tls = ["--site-tls-cert", "plant.pem", "--site-tls-key", "plant.key"];
    let made = user.json(&[&["nats", "init", "hub"][..], &first, &site, &tls].concat());
    assert_eq!(made["url"], "tls://127.0.0.1:4333");
    assert_eq!(made["site"]["url"], "tls://plant.example:4444");
    let read = |file: &str| fs::read_to_string(user.path().join("hub").join(file)).unwrap();
    assert_eq!(read("server/cert.pem") + &read("sites/plant/cert.pem"), "hub.pemplant.pem");
    assert!(read("sites/plant/nats-server.conf").contains("listen: \"0.0.0.0:4444\""));
}

#[test]
fn a_site_that_others_reach_in_plain_text_or_by_no_name_is_said() {
    let user = User::new();
    user.json(&["nats", "init", "hub"]);
    let ended = user.wash(&["nats", "init", "hub", "--site", "plant", "--site-listen", "0.0.0.0:4333"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for flag in ["--site-address HOST", "--site-tls-cert"] {
        assert!(ended.stdout.contains(flag), "{}", ended.stdout);
    }
}

#[test]
fn a_revocation_that_no_server_heard_names_the_new_key_and_where_it_goes() {
    let user = User::new();
    user.json(&["nats", "init", "hub", "--listen", NOWHERE]);
    let file = user.path().join("hub/users/providers-default.key");
    let before = fs::read(&file).unwrap();
    let error = user.json_error(&["nats", "user", "revoke", "hub", "host", "--provider-keys"]);
    assert_eq!(error["exit_code"], 3, "{error}");
    let help = error["help"].as_str().unwrap();
    for part in
        ["wash nats push", "HOME/hub/users/providers-default.key", "lattice default", "start its host anew"]
    {
        assert!(help.contains(part), "{part}: {help}");
    }
    let after = fs::read(&file).unwrap();
    assert_ne!(after, before, "it is a new one");
    assert_eq!(fs::read(user.path().join("hub/server/providers-default.key")).unwrap(), after);
}
