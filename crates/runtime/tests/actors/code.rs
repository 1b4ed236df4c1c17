//! Compiled code: shared in memory, kept on disk.

use lattice_code_cache::{CacheConfig, CodeCache};
use lattice_runtime::{Runtime, RuntimeConfig};

use crate::support::{World, runtime, start_prepared, text, wasm};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_are_compiled_once() {
    let runtime = runtime();
    let (one, two) = tokio::join!(runtime.prepare(wasm("hello")), runtime.prepare(wasm("hello")));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one.shares_code_with(&two));
    assert!(!one.shares_code_with(&runtime.prepare(wasm("echo")).await.unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_runtime_finds_the_code_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let config = || {
        let cache = CodeCache::open(CacheConfig {
            dir: folder.path().join("code"),
            key_file: folder.path().join("key"),
            max_bytes: 1 << 30,
        });
        RuntimeConfig { slots: 8, cache: Some(cache), ..RuntimeConfig::default() }
    };
    let prepared = Runtime::new(config()).unwrap().prepare(wasm("hello")).await.unwrap();
    assert!(!prepared.was_cached());
    let runtime = Runtime::new(config()).unwrap();
    let prepared = runtime.prepare(wasm("hello")).await.unwrap();
    assert!(prepared.was_cached());
    let actor = start_prepared(&runtime, &prepared, &World::new(), |_| ());
    assert_eq!(text(&actor, "/").await.0, 200);
}
