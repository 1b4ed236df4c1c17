use std::os::unix::fs::PermissionsExt;

use crate::User;

#[test]
fn a_key_is_printed_and_not_kept() {
    let user = User::new();
    insta::assert_snapshot!(user.wash(&["keys", "gen", "account"]).transcript());
    assert!(!user.path().join(".wash").exists());
    let key = user.json(&["keys", "gen", "actor"]);
    assert!(key["public_key"].as_str().unwrap().starts_with('M'));
    assert!(key["seed"].as_str().unwrap().starts_with("SM"));
}

#[test]
fn every_kind_can_be_made() {
    let user = User::new();
    for (kind, letter) in [
        ("account", 'A'),
        ("user", 'U'),
        ("module", 'M'),
        ("provider", 'V'),
        ("host", 'N'),
        ("cluster", 'C'),
        ("operator", 'O'),
        ("curve", 'X'),
    ] {
        let key = user.json(&["keys", "gen", kind]);
        assert!(key["public_key"].as_str().unwrap().starts_with(letter), "{kind}");
    }
}

#[test]
fn a_saved_key_is_private_listed_got_and_never_overwritten() {
    let user = User::new();
    insta::assert_snapshot!("saved", user.wash(&["keys", "gen", "account", "--name", "ann"]).transcript());
    let mode = |path: &str| std::fs::metadata(user.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(".wash/keys"), 0o700);
    assert_eq!(mode(".wash/keys/ann_account.nk"), 0o600);
    insta::assert_snapshot!("listed", user.wash(&["keys", "list"]).transcript());

    let seed = std::fs::read_to_string(user.path().join(".wash/keys/ann_account.nk")).unwrap();
    for name in ["ann_account", "ann_account.nk"] {
        assert_eq!(user.wash(&["keys", "get", name]).stdout, seed);
    }
    insta::assert_snapshot!("kept", user.wash(&["keys", "gen", "account", "--name", "ann"]).transcript());
    assert_eq!(user.wash(&["keys", "get", "ann_account"]).stdout, seed);
}

#[test]
fn other_folders_other_keys() {
    let user = User::new();
    user.wash_with(&["keys", "gen", "user", "--name", "a"], &[("WASH_KEYS", "one")]);
    user.wash(&["keys", "gen", "user", "--name", "b", "--directory", "two"]);
    let names = |dir: &str| {
        let keys = user.json(&["keys", "list", "--directory", dir])["keys"].clone();
        keys.as_array().unwrap().iter().map(|key| key["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("one"), ["a_user"]);
    assert_eq!(names("two"), ["b_user"]);
    assert!(names(".wash/keys").is_empty());
}

#[test]
fn what_is_wrong_with_a_key_is_said() {
    let user = User::new();
    insta::assert_snapshot!("missing", user.wash(&["keys", "get", "nobody"]).transcript());
    assert_eq!(user.json_error(&["keys", "get", "../../etc/passwd"])["exit_code"], 2);
    assert_eq!(user.json_error(&["keys", "gen", "king"])["exit_code"], 2);
    std::fs::create_dir_all(user.path().join(".wash/keys")).unwrap();
    user.write(".wash/keys/old_account.nk", "SAnonsense");
    assert_eq!(user.json_error(&["keys", "get", "old_account"])["exit_code"], 1);
    let keys = user.json(&["keys", "list"]);
    assert!(keys["keys"][0]["problem"].as_str().unwrap().contains("58 characters"));
}

#[test]
fn a_key_that_others_can_read_is_warned_about() {
    let user = User::new();
    user.wash(&["keys", "gen", "account", "--name", "ann"]);
    let file = user.path().join(".wash/keys/ann_account.nk");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let got = user.wash(&["keys", "get", "ann_account"]);
    assert_eq!(got.code, 0);
    assert!(got.stderr.contains("chmod 600 HOME/.wash/keys/ann_account.nk"), "{}", got.stderr);
}
