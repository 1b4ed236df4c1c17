//! How long it is going to take, said before it does.

use lattice_testkit::{actor_file, binary};

/// Measured from a fresh clone: processor time of the two builds, in core-minutes, on the fastest and the slowest machine so far.
const BUILD_CORE_MINUTES: [u64; 2] = [12, 30];

/// One line about the time ahead.
pub(crate) fn announcement() -> String {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    match is_built() {
        true => {
            "quickstart: everything was built before, so this takes a few seconds; what changed is built anew"
                .to_owned()
        }
        false => {
            let [fast, slow] = BUILD_CORE_MINUTES.map(|minutes| (minutes / cores).max(2));
            format!(
                "quickstart: the first time takes {fast} to {slow} minutes on {cores} cores, as fast as they are, nearly all of it \
                 compiling; after that a few seconds"
            )
        }
    }
}

fn is_built() -> bool {
    binary("wasmcloud").is_ok() && binary("wash").is_ok() && actor_file("hello").is_ok()
}
