//! How long it is going to take, said before it does.

use lattice_testkit::{actor_file, binary};

/// Measured from a fresh clone: processor time of the two builds, in core-minutes.
const BUILD_CORE_MINUTES: u64 = 14;

/// One line about the time ahead.
pub(crate) fn announcement() -> String {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    match is_built() {
        true => {
            "quickstart: everything was built before, so this takes a few seconds; what changed is built anew"
                .to_owned()
        }
        false => format!(
            "quickstart: the first time takes about {} minutes on your {cores} cores, nearly all of it compiling; \
             after that a few seconds",
            (BUILD_CORE_MINUTES / cores).max(2)
        ),
    }
}

fn is_built() -> bool {
    binary("wasmcloud").is_ok() && binary("wash").is_ok() && actor_file("hello").is_ok()
}
