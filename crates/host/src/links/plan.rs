//! What links a provider on this host should have. Pure functions over data.

use std::collections::BTreeMap;

use lattice_contracts::Serves;
use lattice_core::{ActorId, ConfigName, Direction, Distance, Link, ProviderId, Secret, SecretName, State};

use super::reconcile::Judged;
use crate::{lattice::View, secrets::Missing};

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
    /// Secrets of the provider's end.
    pub(crate) secrets: BTreeMap<SecretName, Secret>,
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
    /// It names a configuration or a secret of which this host has not heard, nor that it was deleted. What is not known is no reason
    /// to take a link away that was there before; a new one waits, with the reason.
    Unsure(State),
}

/// How a secret is had, as far as this host has it.
pub(crate) type Open<'a> = &'a dyn Fn(&SecretName) -> Result<Secret, Missing>;

/// Judges every link of which `provider` is an end.
pub(crate) fn wanted(provider: &ProviderId, serves: &[Serves], facts: &View, open: Open<'_>) -> Judged {
    let mut all = Judged::new();
    for link in facts.links.values() {
        let is_source = link.source.as_str() == provider.as_str();
        if !is_source && link.target.as_str() != provider.as_str() {
            continue;
        }
        // What is stored has been checked when it was put; what a later version stores may be new to us.
        let Ok(key) = link.check() else { continue };
        let verdict = judge(provider, serves, link, is_source, (facts, open));
        all.insert(key, verdict);
    }
    all
}

fn judge(
    provider: &ProviderId,
    serves: &[Serves],
    link: &Link,
    is_source: bool,
    known: (&View, Open<'_>),
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
    match given(link, is_source, known) {
        Ok((config, secrets)) => {
            let actor = if is_source { link.target.clone() } else { link.source.clone() };
            let interfaces = link.interfaces.clone();
            let (actor, distance) = (actor.into(), link.distance);
            Verdict::Wanted(Wanted {
                actor,
                interfaces,
                config,
                secrets,
                provider_calls: is_source,
                distance,
            })
        }
        Err(verdict) => verdict,
    }
}

type Given = (BTreeMap<String, String>, BTreeMap<SecretName, Secret>);

/// What the link gives the provider's end; else what comes of the lack of it.
fn given(link: &Link, is_source: bool, (facts, open): (&View, Open<'_>)) -> Result<Given, Verdict> {
    let (configs, names) = match is_source {
        true => (&link.source_config, &link.source_secrets),
        false => (&link.target_config, &link.target_secrets),
    };
    let (of_actor, actor) = match is_source {
        true => (&link.target_secrets, &link.target),
        false => (&link.source_secrets, &link.source),
    };
    if let Some(name) = of_actor.first() {
        let reason = format!(
            "the link gives secret {name} to {actor}, which is an actor: give it where that starts, wash start actor IMAGE \
             {actor} --secret {name}, and put the link without"
        );
        return Err(Verdict::Blocked(State::Failed(reason)));
    }
    let waits = |reason: String, is_deleted: bool| {
        let state = State::Pending(reason);
        if is_deleted { Verdict::Blocked(state) } else { Verdict::Unsure(state) }
    };
    let config = merge(configs, &facts.configs).map_err(|missing| {
        let reason = format!("config {missing} does not exist; make it: wash config put {missing} KEY=VALUE");
        waits(reason, facts.deleted_configs.contains(&missing))
    })?;
    let secret = |name: &SecretName| match open(name) {
        Ok(secret) => Ok((name.clone(), secret)),
        // The box for this host may be on its way, as an unknown name may.
        Err(missing @ (Missing::Unknown { .. } | Missing::NotHere { .. })) => {
            Err(waits(missing.to_string(), facts.deleted_secrets.contains(name)))
        }
        Err(missing @ (Missing::Broken { .. } | Missing::NotTaken { .. })) => {
            Err(Verdict::Blocked(State::Failed(missing.to_string())))
        }
    };
    let secrets = names.iter().map(secret).collect::<Result<_, _>>()?;
    Ok((config, secrets))
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

#[cfg(test)]
mod tests {
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
            source_secrets: Vec::new(),
            target_secrets: Vec::new(),
            distance: Distance::default(),
        }
    }

    fn only(verdicts: &Judged) -> &Verdict {
        assert_eq!(verdicts.len(), 1);
        verdicts.values().next().unwrap()
    }

    fn facts(links: &[Link], configs: Configs) -> View {
        let links = links.iter().map(|link| (link.key().unwrap(), link.clone())).collect();
        View { links, configs, ..View::default() }
    }

    /// A host that has no secret.
    fn none(name: &SecretName) -> Result<Secret, Missing> {
        Err(Missing::Unknown { name: name.clone() })
    }

    #[test]
    fn a_link_waits_for_its_secret_and_gets_that_of_its_own_end_alone() {
        let http = "http".parse().unwrap();
        let (mine, other): (SecretName, SecretName) = ("mine".parse().unwrap(), "other".parse().unwrap());
        let link = Link { source_secrets: vec![mine.clone()], ..link("http", "hello", "http", &[]) };
        let to_actor = Link { target_secrets: vec![other.clone()], ..link.clone() };
        let mut known = facts(&[link], Configs::new());
        let Verdict::Unsure(State::Pending(why)) = only(&wanted(&http, HTTP, &known, &none)).clone() else {
            panic!("not unsure")
        };
        assert_eq!(why, "no secret \"mine\"; put it: wash secret put mine");
        known.deleted_secrets.insert(mine.clone());
        assert_eq!(*only(&wanted(&http, HTTP, &known, &none)), Verdict::Blocked(State::Pending(why)));
        let both = |_: &SecretName| Ok(Secret::text("hunter2-marker".to_owned()).unwrap());
        let judged = wanted(&http, HTTP, &known, &both);
        let Verdict::Wanted(found) = only(&judged) else { panic!("not wanted") };
        assert_eq!(found.secrets.keys().collect::<Vec<_>>(), [&mine]);
        assert!(!format!("{judged:?}").contains("hunter2"), "{judged:?}");
        let to_actor = facts(&[to_actor], Configs::new());
        let Verdict::Blocked(State::Failed(why)) = only(&wanted(&http, HTTP, &to_actor, &both)).clone()
        else {
            panic!("not failed")
        };
        assert!(why.contains("wash start actor IMAGE hello --secret other"), "{why}");
        let broken = |name: &SecretName| {
            let why = lattice_claims::SecretError::NotBase64;
            Err(Missing::Broken { name: name.clone(), why })
        };
        let judged = wanted(&http, HTTP, &known, &broken);
        assert!(matches!(only(&judged), Verdict::Blocked(State::Failed(_))), "{judged:?}");
    }

    #[test]
    fn a_link_waits_for_its_config_and_then_is_wanted() {
        let http = "http".parse().unwrap();
        let links = [link("http", "hello", "http", &["web", "more"]), link("other", "hello", "http", &[])];
        let mut known = facts(&links, Configs::new());
        let Verdict::Unsure(State::Pending(why)) = only(&wanted(&http, HTTP, &known, &none)).clone() else {
            panic!("not unsure")
        };
        assert!(why.contains("wash config put web"), "{why}");
        known.deleted_configs.insert("web".parse().unwrap());
        assert_eq!(*only(&wanted(&http, HTTP, &known, &none)), Verdict::Blocked(State::Pending(why)));
        let map =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let configs = Configs::from([
            ("web".parse().unwrap(), map(&[("address", "a"), ("path", "/")])),
            ("more".parse().unwrap(), map(&[("address", "b")])),
        ]);
        let judged = wanted(&http, HTTP, &facts(&links, configs), &none);
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
            let judged = wanted(&http, HTTP, &facts(&[bad], Configs::new()), &none);
            let Verdict::Blocked(State::Failed(why)) = only(&judged) else { panic!("not failed") };
            assert!(why.contains(part), "{why}");
        }
    }
}
