//! Small machines: the runtime starts and serves with whatever address space there is.

use std::process::Command;

use lattice_runtime::{Runtime, RuntimeConfig};

use crate::support::{World, start, text};

/// Runs `serves_hello` in a process with this much address space; answers what it printed.
fn under(kib: u64) -> String {
    let test = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -v {kib}; exec \"$0\" --ignored --exact space::serves_hello --nocapture"))
        .arg(test)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[tokio::test]
#[ignore = "run by the tests below, in a process with little address space"]
async fn serves_hello() {
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let hello = start(&runtime, "hello", &World::new(), |_| ()).await;
    for _ in 0..3 {
        assert_eq!(text(&hello, "/").await.0, 200);
    }
    let pool = runtime.describe().pool;
    println!("pool: {} because {:?}", pool.strategy, pool.why);
}

#[test]
fn four_hundred_gigabytes_take_bounded_slots() {
    let text = under(400 << 20);
    assert!(text.contains("pool: 1000 slots of 256 MiB with bounds checks because"), "{text}");
}

#[test]
fn sixteen_gigabytes_take_a_few() {
    let text = under(16 << 20);
    assert!(text.contains("pool: 16 slots of 256 MiB with bounds checks because"), "{text}");
}

#[test]
fn two_gigabytes_take_no_pool() {
    let text = under(2 << 20);
    assert!(text.contains("pool: on demand because"), "{text}");
}
