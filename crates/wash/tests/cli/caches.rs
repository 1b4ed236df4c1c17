use std::fs;

use crate::User;

#[test]
fn only_what_is_ours_is_removed() {
    let user = User::new();
    let cache = user.path().join(".cache/wasmcloud");
    fs::create_dir_all(cache.join("oci/blobs/sha256")).unwrap();
    fs::create_dir_all(cache.join("code")).unwrap();
    fs::write(cache.join(format!("oci/blobs/sha256/{}", "0".repeat(64))), "1234").unwrap();
    fs::write(cache.join("code/00ff-0a.code"), "12").unwrap();
    fs::write(cache.join("code/thesis.txt"), "mine").unwrap();
    insta::assert_snapshot!("first", user.wash(&["drain", "oci"]).transcript());
    let drained = user.json(&["drain", "all"]);
    let files = |index: usize| drained["drained"][index]["files"].clone();
    assert_eq!((files(0), files(1)), (0.into(), 1.into()));
    assert!(cache.join("code/thesis.txt").exists());
    assert_eq!(user.wash(&["drain", "lib", "--cache-dir", "elsewhere"]).code, 0);
    assert_eq!(user.wash(&["drain", "host"]).code, 2);
}
