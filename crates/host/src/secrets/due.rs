//! To whom which secret is to be sealed. Pure, level-triggered: facts in, steps out; nothing is due where all is as it should.

use std::collections::{BTreeMap, BTreeSet};

use lattice_core::{CurveKey, HostId, SECRET_READERS_MAX, SecretName};
use lattice_nats::Version;

use super::Known;

/// A host of the lattice, as far as secrets are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reader {
    /// Its key; none of a host that takes no secrets.
    pub(super) xkey: Option<CurveKey>,
    /// Nobody hears it, so nobody waits for it to do anything.
    pub(super) lost: bool,
}

/// A secret to be sealed to further hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) name: SecretName,
    /// The version in place of which the next one is written.
    pub(super) seen: Version,
    /// To whom.
    pub(super) to: BTreeMap<HostId, CurveKey>,
    /// Boxes that make room: of hosts that the lattice does not know any more, and only where there is no room else.
    pub(super) drop: BTreeSet<HostId>,
    /// How many other hosts that are heard can do the same, and come before this one.
    pub(super) rank: u32,
}

/// What `me` can do for hosts that lack a secret.
pub(super) fn due(
    me: &HostId,
    secrets: &BTreeMap<SecretName, Known>,
    hosts: &BTreeMap<HostId, Reader>,
) -> Vec<Step> {
    secrets.iter().filter_map(|(name, known)| step(me, name, known, hosts)).collect()
}

fn step(me: &HostId, name: &SecretName, known: &Known, hosts: &BTreeMap<HostId, Reader>) -> Option<Step> {
    let sealed = &known.says.sealed;
    let has = |(host, reader): &(&HostId, &Reader)| {
        reader.xkey.as_ref().is_some_and(|xkey| sealed.is_for(host, xkey))
    };
    let own = hosts.get(me)?;
    if !has(&(me, own)) {
        return None;
    }
    let lacks = |(host, reader): (&HostId, &Reader)| {
        let xkey = reader.xkey.as_ref().filter(|xkey| !sealed.is_for(host, xkey))?;
        Some((host.clone(), xkey.clone()))
    };
    let mut to: BTreeMap<HostId, CurveKey> = hosts.iter().filter_map(lacks).collect();
    let further = to.keys().filter(|host| !sealed.readers.contains_key(*host)).count();
    let over = (sealed.readers.len() + further).saturating_sub(SECRET_READERS_MAX);
    let unknown = sealed.readers.keys().filter(|host| !hosts.contains_key(*host));
    let drop: BTreeSet<HostId> = unknown.take(over).cloned().collect();
    for _ in drop.len()..over {
        to.pop_last();
    }
    let rank = hosts.iter().filter(|(host, reader)| *host < me && !reader.lost).filter(has).count();
    let rank = u32::try_from(rank).unwrap_or(u32::MAX);
    let step = Step { name: name.clone(), seen: known.version.clone(), to, drop, rank };
    (!step.to.is_empty()).then_some(step)
}

#[cfg(test)]
mod tests {
    use lattice_core::{SealedFor, SealedSecret, SecretFact};
    use proptest::prelude::*;

    use super::*;

    fn host(number: usize) -> HostId {
        let letters: String =
            (0..11).rev().map(|at| char::from(b'A' + u8::from(number >> at & 1 == 1))).collect();
        HostId::new(format!("N{letters}{}", "A".repeat(44))).unwrap()
    }

    fn xkey(letter: char) -> CurveKey {
        CurveKey::new(format!("X{}", letter.to_string().repeat(55))).unwrap()
    }

    fn reader(letter: char) -> Reader {
        Reader { xkey: Some(xkey(letter)), lost: false }
    }

    fn known(readers: &[(usize, char)]) -> BTreeMap<SecretName, Known> {
        let boxed = |(number, letter): &(usize, char)| {
            (host(*number), SealedFor { xkey: xkey(*letter), seed: String::new() })
        };
        let readers = readers.iter().map(boxed).collect();
        let sealed = SealedSecret { key: xkey('Z'), value: String::new(), readers };
        let says = SecretFact { revision: 1, kind: String::new(), at: String::new(), by: None, sealed };
        let version = Version { number: 3, writer: "w".into() };
        [("token".parse().unwrap(), Known { says, version })].into()
    }

    fn only(steps: &[Step]) -> &Step {
        assert_eq!(steps.len(), 1, "{steps:?}");
        &steps[0]
    }

    #[test]
    fn a_host_that_came_later_or_has_a_new_key_is_sealed_to_by_those_who_can() {
        let hosts: BTreeMap<_, _> = [
            (host(0), reader('A')),
            (host(1), reader('B')),
            (host(2), reader('C')),
            (host(3), Reader { xkey: None, lost: false }),
        ]
        .into();
        let all = known(&[(0, 'A'), (1, 'B'), (2, 'C')]);
        assert_eq!(due(&host(0), &all, &hosts), []);
        let late = known(&[(0, 'A'), (1, 'B')]);
        let (first, second) = (due(&host(0), &late, &hosts), due(&host(1), &late, &hosts));
        assert_eq!(only(&first).to, [(host(2), xkey('C'))].into());
        assert_eq!((only(&first).rank, only(&second).rank), (0, 1));
        assert_eq!(due(&host(2), &late, &hosts), [], "who cannot open it cannot seal it");
        let renewed = known(&[(0, 'A'), (1, 'X'), (2, 'C')]);
        assert_eq!(only(&due(&host(2), &renewed, &hosts)).to, [(host(1), xkey('B'))].into());
        // Nobody waits for a host that is lost, and it keeps its box.
        let mut lost = hosts.clone();
        lost.get_mut(&host(0)).unwrap().lost = true;
        let steps = due(&host(1), &late, &lost);
        assert_eq!((only(&steps).rank, only(&steps).drop.len()), (0, 0));
        // A host that nobody knows of any more keeps its box, too, as long as there is room.
        let gone = known(&[(0, 'A'), (9, 'Y')]);
        assert!(only(&due(&host(0), &gone, &hosts)).drop.is_empty());
    }

    #[test]
    fn where_there_is_no_room_hosts_that_are_gone_make_it() {
        let full: Vec<(usize, char)> = (0..SECRET_READERS_MAX).map(|number| (number, 'A')).collect();
        let late = [(host(0), reader('A')), (host(SECRET_READERS_MAX - 1), reader('B'))];
        let mut hosts: BTreeMap<_, _> = late.into();
        let step = due(&host(0), &known(&full), &hosts);
        assert_eq!(
            (only(&step).drop.len(), only(&step).to.len()),
            (0, 1),
            "it is in the place of an older box"
        );
        let mut without = full.clone();
        without.retain(|(number, _)| *number != 5);
        without.push((5, 'A'));
        hosts.insert(host(5), reader('A'));
        let full_but_one = &full[..SECRET_READERS_MAX - 1];
        let room = due(&host(0), &known(full_but_one), &hosts);
        assert_eq!((only(&room).drop.len(), only(&room).to.len()), (0, 1));
    }

    proptest! {
        /// Whatever hosts there are and whoever has the secret: if each step is taken by whoever it is due for, in any order,
        /// then in the end every host that takes secrets has it, provided that one who has it is there.
        #[test]
        fn steps_lead_to_everybody_having_it(
            hosts in proptest::collection::btree_map(0_usize..6, (proptest::option::of(prop_oneof![Just('A'), Just('B')]), any::<bool>()), 1..6),
            readers in proptest::collection::btree_map(0_usize..8, prop_oneof![Just('A'), Just('B')], 1..6),
        ) {
            let hosts: BTreeMap<_, _> = hosts
                .into_iter()
                .map(|(number, (letter, lost))| (host(number), Reader { xkey: letter.map(xkey), lost }))
                .collect();
            let mut secrets = known(&readers.into_iter().collect::<Vec<_>>());
            let before = secrets.values().next().unwrap().says.sealed.readers.clone();
            let can = hosts.iter().any(|(id, one)| {
                one.xkey.as_ref().is_some_and(|key| secrets.values().all(|known| known.says.sealed.is_for(id, key)))
            });
            for me in hosts.keys() {
                for step in due(me, &secrets, &hosts) {
                    let known = secrets.get_mut(&step.name).unwrap();
                    prop_assert!(step.drop.is_empty());
                    for (id, xkey) in step.to {
                        known.says.sealed.readers.insert(id, SealedFor { xkey, seed: String::new() });
                    }
                }
            }
            let readers = &secrets.values().next().unwrap().says.sealed;
            for (id, one) in hosts.iter().filter(|_| can) {
                prop_assert!(one.xkey.as_ref().is_none_or(|key| readers.is_for(id, key)));
            }
            prop_assert!(before.keys().all(|id| readers.readers.contains_key(id)), "nobody loses a box");
            prop_assert!(hosts.keys().all(|me| due(me, &secrets, &hosts).is_empty()));
        }
    }
}
