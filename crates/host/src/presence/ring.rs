//! Who listens to whom: hosts stand on a ring in the order of their ids, and each is heard by the three next ones. Pure.

use std::collections::BTreeSet;

use lattice_core::HostId;

/// So many hosts hear the beats of each.
const LISTENERS: usize = 3;

/// Those `me` listens to: the three before it on the ring of `hosts`, or all others where there are fewer.
pub(super) fn before<'h>(me: &HostId, hosts: &BTreeSet<&'h HostId>) -> BTreeSet<&'h HostId> {
    let smaller = hosts.range::<HostId, _>(..me).rev();
    let greater = hosts.range::<HostId, _>(me..).rev().filter(|host| **host != me);
    smaller.chain(greater).take(LISTENERS).copied().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(number: u8) -> HostId {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        HostId::new(format!("N{}", char::from(letters[usize::from(number) % 26]).to_string().repeat(55)))
            .unwrap()
    }

    fn names(set: &BTreeSet<&HostId>) -> String {
        set.iter().map(|host| &host.as_str()[1..2]).collect()
    }

    #[test]
    fn the_three_before_around_the_ring() {
        let all: Vec<HostId> = (0..6).map(host).collect();
        let ring: BTreeSet<&HostId> = all.iter().collect();
        assert_eq!(names(&before(&all[4], &ring)), "BCD");
        assert_eq!(names(&before(&all[0], &ring)), "DEF");
        assert_eq!(names(&before(&all[1], &ring)), "AEF");
        let two: BTreeSet<&HostId> = all[..2].iter().collect();
        assert_eq!(names(&before(&all[0], &two)), "B");
        assert!(before(&all[0], &BTreeSet::from([&all[0]])).is_empty());
        assert_eq!(names(&before(&all[5], &two)), "AB");
    }

    proptest! {
        #[test]
        fn everybody_is_heard_by_three_or_by_all_others(numbers in proptest::collection::btree_set(0_u8..26, 1..20)) {
            let all: Vec<HostId> = numbers.into_iter().map(host).collect();
            let ring: BTreeSet<&HostId> = all.iter().collect();
            for spoken in &all {
                let heard = all.iter().filter(|me| before(me, &ring).contains(spoken)).count();
                prop_assert_eq!(heard, LISTENERS.min(all.len() - 1));
            }
        }
    }
}
