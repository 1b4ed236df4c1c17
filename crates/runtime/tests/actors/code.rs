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

#[tokio::test]
async fn looking_at_a_large_file_holds_up_nobody() {
    let runtime = runtime();
    // A component of nothing but 32 MiB of notes.
    let mut wasm = wat::parse_str("(component)").unwrap();
    let notes = 32 * 1024 * 1024_u32;
    wasm.extend([0, 0x84, 0x80, 0x80, 0x10, 3]);
    wasm.extend_from_slice(b"abc");
    wasm.resize(wasm.len() + notes as usize, 0);
    let mut preparing = Box::pin(runtime.prepare(wasm.into()));
    assert!(futures::poll!(&mut preparing).is_pending(), "it was hashed on the thread that asked");
    preparing.await.unwrap();
}
