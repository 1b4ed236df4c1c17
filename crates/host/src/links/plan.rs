//! What links a provider on this host should have, and what to do to get there. Pure functions over data.

use std::collections::BTreeMap;

use lattice_contracts::Serves;
use lattice_core::{ActorId, ConfigName, Direction, Distance, Link, LinkKey, ProviderId, State};

/// Named configurations, as the lattice has them.
pub(crate) type Configs = BTreeMap<ConfigName, BTreeMap<String, String>>;

/// A link as its provider shall have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The actor at the other end.
    pub(crate) actor: ActorId,
    /// Interfaces the link grants; empty grants all.
    pub(crate) interfaces: Vec<String>,
    /// Configuration of the provider's end, merged left to right.
    pub(crate) config: BTreeMap<String, String>,
    /// True where the provider calls the actor.
    pub(crate) provider_calls: bool,
    /// How far away that may be.
    pub(crate) distance: Distance,
}

/// Whether a provider can have a link now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It can, like this.
    Wanted(Wanted),
    /// Not yet, or not at all: pending or failed, with the reason.
    Blocked(State),
}

/// What a provider has been given.
pub(crate) type Applied = BTreeMap<LinkKey, Wanted>;

/// One step towards what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Give the provider this link, new or changed.
    Put(LinkKey, Wanted),
    /// Take the link away.
    Delete(LinkKey),
}

/// Judges every link of which `provider` is an end.
pub(crate) fn wanted<'a>(
    provider: &ProviderId,
    serves: &[Serves],
    links: impl IntoIterator<Item = &'a Link>,
    configs: &Configs,
) -> BTreeMap<LinkKey, Verdict> {
    let mut all = BTreeMap::new();
    for link in links {
        let is_source = link.source.as_str() == provider.as_str();
        if !is_source && link.target.as_str() != provider.as_str() {
            continue;
        }
        // What is stored has been checked when it was put; what a later version stores may be new to us.
        let Ok(key) = link.check() else { continue };
        let verdict = judge(provider, serves, link, is_source, configs);
        all.insert(key, verdict);
    }
    all
}

fn judge(
    provider: &ProviderId,
    serves: &[Serves],
    link: &Link,
    is_source: bool,
    configs: &Configs,
) -> Verdict {
    let direction = if is_source { Direction::ToActor } else { Direction::ToProvider };
    let contract = format!("{}:{}", link.wit_namespace, link.wit_package);
    let served: Vec<&str> = serves
        .iter()
        .filter(|row| row.namespace == link.wit_namespace && row.package == link.wit_package)
        .filter(|row| row.direction == direction)
        .map(|row| row.interface)
        .collect();
    if served.is_empty() {
        let role = if is_source { "does not call actors" } else { "cannot be called" };
        let reason = format!("provider {provider} {role} under {contract}; delete the link or turn it round");
        return Verdict::Blocked(State::Failed(reason));
    }
    if let Some(unknown) = link.interfaces.iter().find(|name| !served.contains(&name.as_str())) {
        let reason = format!(
            "provider {provider} has no interface {contract}/{unknown}; it has {}",
            served.join(", ")
        );
        return Verdict::Blocked(State::Failed(reason));
    }
    let names = if is_source { &link.source_config } else { &link.target_config };
    match merge(names, configs) {
        Ok(config) => {
            let actor = if is_source { link.target.clone() } else { link.source.clone() };
            let interfaces = link.interfaces.clone();
            let (actor, distance) = (actor.into(), link.distance);
            Verdict::Wanted(Wanted { actor, interfaces, config, provider_calls: is_source, distance })
        }
        Err(missing) => {
            let reason =
                format!("config {missing} does not exist; make it: wash config put {missing} KEY=VALUE");
            Verdict::Blocked(State::Pending(reason))
        }
    }
}

/// Merges configurations left to right; a later one wins.
pub(crate) fn merge(names: &[ConfigName], configs: &Configs) -> Result<BTreeMap<String, String>, ConfigName> {
    let mut merged = BTreeMap::new();
    for name in names {
        let values = configs.get(name).ok_or_else(|| name.clone())?;
        merged.extend(values.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    Ok(merged)
}

/// The steps from `applied` to `judged`. Links taken away come first, so that what they held (a port, a route) is free
/// for those that come.
pub(crate) fn diff(applied: &Applied, judged: &BTreeMap<LinkKey, Verdict>) -> Vec<Effect> {
    let still_wanted = |key: &LinkKey| matches!(judged.get(key), Some(Verdict::Wanted(_)));
    let gone = applied.keys().filter(|key| !still_wanted(key)).cloned().map(Effect::Delete);
    let come = judged.iter().filter_map(|(key, verdict)| match verdict {
        Verdict::Wanted(wanted) if applied.get(key) != Some(wanted) => {
            Some(Effect::Put(key.clone(), wanted.clone()))
        }
        _ => None,
    });
    gone.chain(come).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HTTP: &[Serves] = &[Serves {
        namespace: "wasi",
        package: "http",
        interface: "incoming-handler",
        direction: Direction::ToActor,
    }];

    fn link(source: &str, target: &str, package: &str, config: &[&str]) -> Link {
        Link {
            source: source.parse().unwrap(),
            target: target.parse().unwrap(),
            name: "default".parse().unwrap(),
            wit_namespace: "wasi".into(),
            wit_package: package.into(),
            interfaces: Vec::new(),
            source_config: config.iter().map(|name| name.parse().unwrap()).collect(),
            target_config: Vec::new(),
            distance: Distance::default(),
        }
    }

    fn only(verdicts: &BTreeMap<LinkKey, Verdict>) -> &Verdict {
        assert_eq!(verdicts.len(), 1);
        verdicts.values().next().unwrap()
    }

    #[test]
    fn a_link_waits_for_its_config_and_then_is_wanted() {
        let http = "http".parse().unwrap();
        let links = [link("http", "hello", "http", &["web", "more"]), link("other", "hello", "http", &[])];
        let Verdict::Blocked(State::Pending(why)) =
            only(&wanted(&http, HTTP, &links, &Configs::new())).clone()
        else {
            panic!("not pending")
        };
        assert!(why.contains("wash config put web"), "{why}");
        let map =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let configs = Configs::from([
            ("web".parse().unwrap(), map(&[("address", "a"), ("path", "/")])),
            ("more".parse().unwrap(), map(&[("address", "b")])),
        ]);
        let judged = wanted(&http, HTTP, &links, &configs);
        let Verdict::Wanted(found) = only(&judged) else { panic!("not wanted") };
        assert_eq!(found.config, map(&[("address", "b"), ("path", "/")]));
        assert_eq!(found.actor.as_str(), "hello");
    }

    #[test]
    fn a_link_the_provider_cannot_serve_fails_and_says_so() {
        let http = "http".parse().unwrap();
        for (bad, part) in [
            (link("http", "hello", "keyvalue", &[]), "does not call actors under wasi:keyvalue"),
            (link("hello", "http", "http", &[]), "cannot be called under wasi:http"),
            (
                Link { interfaces: vec!["nonsense".into()], ..link("http", "hello", "http", &[]) },
                "it has incoming-handler",
            ),
        ] {
            let judged = wanted(&http, HTTP, [&bad], &Configs::new());
            let Verdict::Blocked(State::Failed(why)) = only(&judged) else { panic!("not failed") };
            assert!(why.contains(part), "{why}");
        }
    }

    fn state() -> impl Strategy<Value = BTreeMap<LinkKey, Verdict>> {
        let one = ("[a-e]", "[x-z]", proptest::option::of("[0-3]"));
        proptest::collection::vec(one, 0..8).prop_map(|rows| {
            rows.into_iter()
                .map(|(actor, name, config)| {
                    let mut row = link("http", &actor, "http", &[]);
                    row.name = name.parse().unwrap();
                    let verdict = match config {
                        Some(value) => Verdict::Wanted(Wanted {
                            actor: actor.parse().unwrap(),
                            interfaces: Vec::new(),
                            config: BTreeMap::from([("v".to_owned(), value)]),
                            provider_calls: true,
                            distance: Distance::default(),
                        }),
                        None => Verdict::Blocked(State::Pending("config".into())),
                    };
                    (row.key().unwrap(), verdict)
                })
                .collect()
        })
    }

    proptest! {
        /// Whatever a provider has, the steps lead to exactly what is wanted, and a second look finds nothing to do.
        #[test]
        fn steps_lead_to_what_is_wanted(before in state(), after in state()) {
            let mut applied = Applied::new();
            for judged in [&before, &after] {
                for effect in diff(&applied, judged) {
                    match effect {
                        Effect::Put(key, wanted) => { applied.insert(key, wanted); }
                        Effect::Delete(key) => { prop_assert!(applied.remove(&key).is_some()); }
                    }
                }
                prop_assert_eq!(diff(&applied, judged), vec![]);
                let wanted = judged.values().filter(|v| matches!(v, Verdict::Wanted(_))).count();
                prop_assert_eq!(applied.len(), wanted);
            }
        }
    }
}
