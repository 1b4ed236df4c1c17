//! How busy this host is, as its beats tell.

use crate::actors::Actors;

/// The whole, in thousandths.
const FULL: u64 = 1000;

/// How near the busiest actor is to its limit: calls that it serves, and those that wait for their turn, of those that it may
/// serve at once. One full actor makes a host full for whoever calls it, however idle the others are.
pub(crate) fn load_of(actors: &Actors) -> u16 {
    let loads = actors.list().into_iter().filter_map(|view| {
        let stats = view.running?.actor.stats();
        Some(share(stats.in_flight + u64::from(stats.waiting), view.spec.concurrency))
    });
    loads.max().unwrap_or(0)
}

fn share(calls: u64, concurrency: u32) -> u16 {
    let thousandths = (calls * FULL / u64::from(concurrency.max(1))).min(FULL);
    u16::try_from(thousandths).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_thousandths_of_the_limit() {
        assert_eq!((share(0, 100), share(1, 3), share(50, 100)), (0, 333, 500));
        assert_eq!((share(500, 100), share(1, 0)), (1000, 1000));
    }
}
