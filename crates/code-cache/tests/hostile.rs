//! Nothing but a genuine entry is ever run: every kind of damage, forgery and foreign ownership that a test can make.

#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test, wherever it happens")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use lattice_code_cache::{CacheConfig, CodeCache, Status, Stored, Unusable};
use wasmtime::{Config, Engine, Module, component::Component};

const WASM: [u8; 32] = [7; 32];
const OTHER_WASM: [u8; 32] = [8; 32];
const HEADER_BYTES: usize = 16 + 32 + 32 + 8;

struct Setup {
    folder: tempfile::TempDir,
    engine: Engine,
    component: Component,
}

impl Setup {
    fn new() -> Setup {
        let engine = Engine::default();
        let wat = r#"(component
            (core module $m (func (export "f") (result i32) i32.const 42))
            (core instance $i (instantiate $m))
            (func (export "f") (result s32) (canon lift (core func $i "f"))))"#;
        let component = Component::new(&engine, wat::parse_str(wat).unwrap()).unwrap();
        Setup { folder: tempfile::tempdir().unwrap(), engine, component }
    }

    fn config(&self) -> CacheConfig {
        CacheConfig {
            dir: self.folder.path().join("code"),
            key_file: self.folder.path().join("code.key"),
            max_bytes: 64 * 1024 * 1024,
        }
    }

    fn cache(&self) -> CodeCache {
        let cache = CodeCache::open(self.config());
        assert!(matches!(cache.status(), Status::Ready { .. }), "{:?}", cache.status());
        cache
    }

    fn store(&self, cache: &CodeCache) -> PathBuf {
        let stored = cache.store(&self.engine, "main", &WASM, &self.component).unwrap();
        assert!(matches!(stored, Stored::Written { .. }), "{stored:?}");
        only_entry(&self.config().dir)
    }

    fn loads(&self, cache: &CodeCache) -> bool {
        cache.load(&self.engine, "main", &WASM).is_some()
    }
}

fn only_entry(dir: &Path) -> PathBuf {
    let entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.into_iter().next().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_was_stored_is_loaded_and_runs_also_when_opened_again() {
    let setup = Setup::new();
    let cache = setup.cache();
    assert!(!setup.loads(&cache));
    let entry = setup.store(&cache);
    assert_eq!(
        (mode(&setup.config().dir), mode(&setup.config().key_file), mode(&entry)),
        (0o700, 0o600, 0o600)
    );
    let component = setup.cache().load(&setup.engine, "main", &WASM).unwrap();
    let mut store = wasmtime::Store::new(&setup.engine, ());
    let instance =
        wasmtime::component::Linker::new(&setup.engine).instantiate(&mut store, &component).unwrap();
    let f = instance.get_typed_func::<(), (i32,)>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, ()).unwrap(), (42,));
}

#[test]
fn modules_and_components_never_pass_for_each_other() {
    let setup = Setup::new();
    let cache = setup.cache();
    let module =
        Module::new(&setup.engine, wat::parse_str("(module (func (export \"f\")))").unwrap()).unwrap();
    cache.store_module(&setup.engine, "main", &WASM, &module).unwrap();
    assert!(cache.load_module(&setup.engine, "main", &WASM).is_some());
    assert!(!setup.loads(&cache));
    let module_entry = only_entry(&setup.config().dir);
    let bytes = fs::read(&module_entry).unwrap();
    fs::remove_file(&module_entry).unwrap();
    let component_entry = setup.store(&cache);
    fs::write(&component_entry, bytes).unwrap();
    assert!(!setup.loads(&cache), "a module's genuine entry under a component's name");
}

#[test]
fn a_changed_byte_anywhere_is_never_run() {
    let setup = Setup::new();
    let cache = setup.cache();
    let entry = setup.store(&cache);
    let good = fs::read(&entry).unwrap();
    let sampled = (HEADER_BYTES..good.len()).step_by((good.len() / 200).max(1));
    let offsets = (0..HEADER_BYTES).chain(sampled).chain(good.len() - 32..good.len());
    for offset in offsets {
        for bit in [0x01, 0x80] {
            let mut bad = good.clone();
            bad[offset] ^= bit;
            fs::write(&entry, &bad).unwrap();
            assert!(!setup.loads(&cache), "byte {offset} flipped by {bit:#x}");
        }
    }
    fs::write(&entry, &good).unwrap();
    assert!(setup.loads(&cache));
}

#[test]
fn a_truncated_or_grown_entry_is_never_run() {
    let setup = Setup::new();
    let cache = setup.cache();
    let entry = setup.store(&cache);
    let good = fs::read(&entry).unwrap();
    let boundaries = [0, 1, 16, 48, 80, HEADER_BYTES];
    let around = boundaries.iter().flat_map(|b| [b.saturating_sub(1), *b, b + 1]);
    let tail = [good.len() - 33, good.len() - 32, good.len() - 31, good.len() - 1];
    for len in around.chain(tail).chain((0..good.len()).step_by(good.len() / 100 + 1)) {
        fs::write(&entry, &good[..len]).unwrap();
        assert!(!setup.loads(&cache), "cut to {len} bytes");
    }
    for extra in [1, 32, 4096] {
        let mut grown = good.clone();
        grown.resize(good.len() + extra, 0);
        fs::write(&entry, &grown).unwrap();
        assert!(!setup.loads(&cache), "grown by {extra}");
    }
}

#[test]
fn an_entry_of_another_key_engine_or_wasm_is_never_run() {
    let setup = Setup::new();
    let cache = setup.cache();
    let entry = setup.store(&cache);
    let good = fs::read(&entry).unwrap();

    // Another wasm's genuine entry under this one's name, and the reverse.
    cache.store(&setup.engine, "main", &OTHER_WASM, &setup.component).unwrap();
    let other =
        fs::read_dir(setup.config().dir).unwrap().map(|e| e.unwrap().path()).find(|p| *p != entry).unwrap();
    fs::copy(&other, &entry).unwrap();
    assert!(!setup.loads(&cache), "another wasm's code");
    fs::copy(&entry, &other).unwrap();
    fs::write(&entry, &good).unwrap();
    assert!(setup.loads(&cache));

    // An engine that compiles differently, and one that is only named differently.
    let mut config = Config::new();
    config.epoch_interruption(true);
    let different = Engine::new(&config).unwrap();
    assert!(cache.load(&different, "main", &WASM).is_none());
    assert!(cache.load(&setup.engine, "wasip3", &WASM).is_none());
    let component = Component::new(&different, wat::parse_str("(component)").unwrap()).unwrap();
    let before: Vec<_> = fs::read_dir(setup.config().dir).unwrap().map(|e| e.unwrap().path()).collect();
    cache.store(&different, "main", &WASM, &component).unwrap();
    let foreign = fs::read_dir(setup.config().dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| !before.contains(p))
        .unwrap();
    fs::copy(&foreign, &entry).unwrap();
    assert!(!setup.loads(&cache), "another engine's genuine entry");

    // The same entry under another key.
    fs::write(&entry, &good).unwrap();
    fs::write(setup.config().key_file, [9; 32]).unwrap();
    assert!(!setup.loads(&setup.cache()), "another key");
}

#[test]
fn links_pipes_and_folders_in_place_of_an_entry_are_never_followed() {
    let setup = Setup::new();
    let cache = setup.cache();
    let entry = setup.store(&cache);
    let elsewhere = setup.folder.path().join("elsewhere");
    fs::rename(&entry, &elsewhere).unwrap();
    symlink(&elsewhere, &entry).unwrap();
    assert!(!setup.loads(&cache), "a link to a genuine entry");
    fs::remove_file(&entry).unwrap();
    fs::create_dir(&entry).unwrap();
    assert!(!setup.loads(&cache), "a folder");
    fs::remove_dir(&entry).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &entry,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert!(!setup.loads(&cache), "a pipe, and no hanging on it");
    fs::remove_file(&entry).unwrap();
    // What is in place of an entry is replaced, not written through.
    symlink(&elsewhere, &entry).unwrap();
    let before = fs::read(&elsewhere).unwrap();
    setup.store(&cache);
    assert!(setup.loads(&cache));
    assert!(!fs::symlink_metadata(&entry).unwrap().is_symlink());
    assert_eq!(fs::read(&elsewhere).unwrap(), before);
}

/// Spoils something after a good entry was stored; then the cache must be unused for a reason that `matches` accepts.
fn check_unusable(spoil: impl FnOnce(&CacheConfig), matches: impl FnOnce(&Unusable) -> bool) {
    let setup = Setup::new();
    setup.store(&setup.cache());
    spoil(&setup.config());
    let cache = CodeCache::open(setup.config());
    let Status::Unused(reason) = cache.status() else { panic!("{:?}", cache.status()) };
    assert!(matches(&reason), "{reason:?}");
    assert!(!setup.loads(&cache));
    assert_eq!(cache.store(&setup.engine, "main", &WASM, &setup.component).unwrap(), Stored::Unused);
}

#[test]
fn a_folder_open_to_others_is_unused() {
    for bits in [0o701, 0o710, 0o770, 0o777] {
        check_unusable(
            |config| set_mode(&config.dir, bits),
            |reason| matches!(reason, Unusable::FolderMode { mode, .. } if *mode == bits),
        );
    }
}

#[test]
fn a_folder_that_is_a_link_or_a_file_is_unused() {
    check_unusable(
        |config| {
            let real = config.dir.with_extension("real");
            fs::rename(&config.dir, &real).unwrap();
            symlink(real, &config.dir).unwrap();
        },
        |reason| matches!(reason, Unusable::FolderIsLink { .. }),
    );
    check_unusable(
        |config| {
            fs::remove_dir_all(&config.dir).unwrap();
            fs::write(&config.dir, "").unwrap();
        },
        |reason| matches!(reason, Unusable::NotAFolder { .. }),
    );
}

#[test]
fn a_folder_or_key_of_another_user_is_unused() {
    if std::env::var_os("LATTICE_TESTS_WITHOUT_ROOT").is_some() {
        return;
    }
    assert!(
        rustix::process::geteuid().is_root(),
        "only root can give files away: cargo xtask test --without root"
    );
    let give = |path: &Path| std::os::unix::fs::chown(path, Some(65534), None).unwrap();
    check_unusable(
        |config| give(&config.dir),
        |reason| matches!(reason, Unusable::FolderOwner { uid: 65534, .. }),
    );
    check_unusable(
        |config| give(&config.key_file),
        |reason| matches!(reason, Unusable::KeyOwner { uid: 65534, .. }),
    );
    let setup = Setup::new();
    let cache = setup.cache();
    let entry = setup.store(&cache);
    give(&entry);
    assert!(!setup.loads(&cache), "another user's entry");
}

#[test]
fn a_key_that_others_may_know_is_unused() {
    for bits in [0o604, 0o640, 0o660, 0o666] {
        check_unusable(
            |config| set_mode(&config.key_file, bits),
            |reason| matches!(reason, Unusable::KeyMode { mode, .. } if *mode == bits),
        );
    }
    check_unusable(
        |config| fs::write(&config.key_file, [0; 31]).unwrap(),
        |reason| matches!(reason, Unusable::KeyForm { .. }),
    );
    check_unusable(
        |config| {
            let real = config.key_file.with_extension("real");
            fs::rename(&config.key_file, &real).unwrap();
            symlink(real, &config.key_file).unwrap();
        },
        |reason| matches!(reason, Unusable::KeyIsLink { .. }),
    );
}

#[test]
fn a_key_inside_the_cache_folder_is_refused_by_whatever_path() {
    let setup = Setup::new();
    let inside = setup.config().dir.join("x/../code.key");
    fs::create_dir_all(inside.parent().unwrap().parent().unwrap()).unwrap();
    set_mode(&setup.config().dir, 0o700);
    let cache = CodeCache::open(CacheConfig { key_file: inside, ..setup.config() });
    assert!(matches!(cache.status(), Status::Unused(Unusable::KeyInside { .. })), "{:?}", cache.status());
}

#[test]
fn a_folder_that_cannot_be_made_fails_nothing() {
    let setup = Setup::new();
    fs::write(setup.folder.path().join("file"), "").unwrap();
    let dir = setup.folder.path().join("file/code");
    let cache = CodeCache::open(CacheConfig { dir, ..setup.config() });
    assert!(matches!(cache.status(), Status::Unused(Unusable::Io { .. })), "{:?}", cache.status());
    assert!(!setup.loads(&cache));
}

#[test]
fn the_longest_unused_go_first_and_the_bound_holds() {
    let setup = Setup::new();
    let cache = setup.cache();
    let size = fs::metadata(setup.store(&cache)).unwrap().len();
    let small = CodeCache::open(CacheConfig { max_bytes: size * 3, ..setup.config() });
    let age = |wasm: &[u8; 32], seconds: u64| {
        let hex: String = wasm.iter().map(|b| format!("{b:02x}")).collect();
        let path = fs::read_dir(setup.config().dir)
            .unwrap()
            .map(|e| e.unwrap().path())
            .find(|p| p.file_name().unwrap().to_str().unwrap().starts_with(&hex))
            .unwrap();
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(seconds);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    for (number, seconds) in [(1, 400), (2, 300)] {
        small.store(&setup.engine, "main", &[number; 32], &setup.component).unwrap();
        age(&[number; 32], seconds);
    }
    age(&WASM, 500);
    // Used again, so no longer the oldest.
    assert!(setup.loads(&small));
    small.store(&setup.engine, "main", &[3; 32], &setup.component).unwrap();
    let kept = |number: u8| small.load(&setup.engine, "main", &[number; 32]).is_some();
    assert_eq!([kept(7), kept(1), kept(2), kept(3)], [true, false, true, true]);
    let total: u64 =
        fs::read_dir(setup.config().dir).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!(total <= size * 3);
    let tiny = CodeCache::open(CacheConfig { max_bytes: size - 1, ..setup.config() });
    let stored = tiny.store(&setup.engine, "main", &[4; 32], &setup.component).unwrap();
    assert_eq!(stored, Stored::TooLarge { bytes: size });
}

#[test]
fn what_dead_writers_left_is_removed_and_what_living_ones_write_is_not() {
    let setup = Setup::new();
    let cache = setup.cache();
    let old = setup.config().dir.join(".aside-0011223344556677");
    let new = setup.config().dir.join(".aside-8899aabbccddeeff");
    fs::write(&new, "x").unwrap();
    let time = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::create(&old).unwrap().set_modified(time).unwrap();
    cache.store(&setup.engine, "main", &WASM, &setup.component).unwrap();
    assert_eq!((old.exists(), new.exists()), (false, true));
}

#[test]
fn many_at_once_agree_on_one_key_and_share_entries() {
    let setup = Setup::new();
    let caches: Vec<CodeCache> = std::thread::scope(|scope| {
        let open: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let cache = CodeCache::open(setup.config());
                    for _ in 0..10 {
                        cache.store(&setup.engine, "main", &WASM, &setup.component).unwrap();
                        assert!(setup.loads(&cache));
                    }
                    cache
                })
            })
            .collect();
        open.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for cache in &caches {
        assert!(setup.loads(cache), "{cache:?}");
    }
    let left: Vec<_> = fs::read_dir(setup.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
