use crate::User;

/// What stands for a program; nobody runs it here.
const PROGRAM: &[u8] = b"#!/bin/sh\n";

#[test]
fn an_archive_is_made_and_shown() {
    let user = User::new();
    user.write("store", PROGRAM);
    let create = [
        "par",
        "create",
        "--binary",
        "store",
        "--arch",
        "x86_64-linux",
        "--name",
        "My Store",
        "--vendor",
        "us",
        "--version",
        "1.2.3",
        "--rev",
        "4",
    ];
    insta::assert_snapshot!("par_create", user.wash(&create).transcript());
    insta::assert_snapshot!("par_inspect", user.wash(&["par", "inspect", "my_store.par"]).transcript());
    let shown = user.json(&["par", "inspect", "my_store.par"]);
    assert_eq!((&shown["vendor"], &shown["signature"]["trusted"]), (&"us".into(), &true.into()));
    let packed = user.json(&[&create[..], &["--compress"]].concat());
    assert_eq!(packed["destination"], "my_store.par.gz");
    assert_eq!(
        user.json(&["par", "inspect", "my_store.par.gz"])["service"],
        shown["service"],
        "the key is kept"
    );
}

#[test]
fn what_cannot_be_packed_says_what_to_type() {
    let user = User::new();
    user.write("store", PROGRAM);
    user.write("actor.wasm", crate::component());
    let create =
        |more: &[&str]| user.wash(&[&["par", "create", "--name", "store", "--vendor", "us"], more].concat());
    for (more, code, says) in [
        (&["--binary", "store", "--arch", "linux"][..], 1, "ARCH-OS"),
        (&["--binary", "store", "--binary", "store"], 2, "one --arch for each"),
        (&["--binary", "actor.wasm"], 1, "wash claims sign"),
        (&["--binary", "nowhere"], 1, "cannot read nowhere"),
        (&["--binary", "store", "--arch", "a-b", "--binary", "store", "--arch", "a-b"], 2, "two programs"),
    ] {
        let said = create(more);
        assert_eq!(said.code, code, "{more:?} {}", said.transcript());
        assert!(said.transcript().contains(says), "{more:?} {}", said.transcript());
    }
    assert!(!user.path().join("store.par").exists());
}
