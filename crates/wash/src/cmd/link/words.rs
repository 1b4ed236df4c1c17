//! The words after `link put` and `link del`, in the order of today, of v1 and of 2021.

use std::collections::BTreeMap;

use lattice_core::{Alias2021, Contract, Direction, EntityId, alias_2021, known};

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    lattice::Pair,
};

/// Which end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Target,
}

/// The contract of a link, and its name of 2021 if that was written.
#[derive(Debug, Clone)]
pub(super) struct Carried {
    pub(super) contract: Contract,
    pub(super) alias: Option<&'static Alias2021>,
}

impl Carried {
    fn read(text: &str) -> Outcome<Carried> {
        if let Some(alias) = alias_2021(text) {
            return Carried { contract: alias.contract(), alias: Some(alias) }.needs_link();
        }
        let contract: Contract = text.parse().map_err(Failure::usage)?;
        if contract.namespace() == "wasmcloud" && known(&contract).is_none() {
            let text = format!("{contract} is a contract of 2021 that has no name of today");
            return Err(Failure::say(Exit::Usage, text)
                .help("write the WIT package that the actor uses, as wasi:keyvalue"));
        }
        Carried { contract, alias: None }.needs_link()
    }

    fn needs_link(self) -> Outcome<Carried> {
        if known(&self.contract).is_none_or(|row| row.linked) {
            return Ok(self);
        }
        let text = format!("{} needs no link: every host serves it to its actors", self.contract);
        Err(Failure::say(Exit::Usage, text))
    }

    /// True where 2021 wrote the ends the other way round.
    fn was_turned(&self) -> bool {
        self.alias.is_some_and(|alias| alias.direction == Direction::ToActor)
    }
}

/// `SOURCE TARGET CONTRACT`, `SOURCE TARGET NAMESPACE PACKAGE`, or `ACTOR PROVIDER CONTRACT-OF-2021`, then `KEY=VALUE`s.
#[derive(Debug)]
pub(super) struct PutWords {
    pub(super) source: EntityId,
    pub(super) target: EntityId,
    pub(super) carried: Carried,
    pub(super) values: BTreeMap<String, String>,
}

impl PutWords {
    /// Reads the words. `is_provider` knows what runs now: it tells whether a line with a contract of 2021 already has
    /// the provider first.
    pub(super) fn read(words: &[String], is_provider: &dyn Fn(&EntityId) -> bool) -> Outcome<PutWords> {
        let usage = |text: &str| {
            Failure::say(Exit::Usage, text).help("as in: wash link put http hello wasi:http path=/hello")
        };
        let [first, second, rest @ ..] = words else {
            return Err(usage("a link has a source, a target and a contract"));
        };
        let (contract, values) = match rest {
            [contract, values @ ..] if contract.contains(':') && !contract.contains('=') => {
                (contract.clone(), values)
            }
            [namespace, package, values @ ..] if !package.contains('=') => {
                (format!("{namespace}:{package}"), values)
            }
            _ => return Err(usage("the link has no contract")),
        };
        let carried = Carried::read(&contract)?;
        let (mut source, mut target) = (entity(first)?, entity(second)?);
        if carried.was_turned() && !is_provider(&source) {
            std::mem::swap(&mut source, &mut target);
        }
        let values =
            values.iter().map(|text| text.parse::<Pair>().map(Into::into).map_err(|why| usage(&why)));
        Ok(PutWords { source, target, carried, values: values.collect::<Outcome<_>>()? })
    }

    /// The end that is a provider, and which the values are for.
    pub(super) fn provider_side(
        &self,
        interfaces: &[String],
        is_provider: &dyn Fn(&EntityId) -> bool,
    ) -> Option<Side> {
        let side = |direction| match direction {
            Direction::ToActor => Side::Source,
            Direction::ToProvider => Side::Target,
        };
        if let Some(alias) = self.carried.alias {
            return Some(side(alias.direction));
        }
        match (is_provider(&self.source), is_provider(&self.target)) {
            (true, false) => return Some(Side::Source),
            (false, true) => return Some(Side::Target),
            _ => {}
        }
        let granted = |name: &str| interfaces.is_empty() || interfaces.iter().any(|i| i == name);
        let row = known(&self.carried.contract)?;
        let mut ways = row.interfaces.iter().filter(|(name, _)| granted(name)).map(|(_, way)| *way);
        let first = ways.next()?;
        ways.all(|way| way == first).then(|| side(first))
    }
}

/// `SOURCE CONTRACT`, `SOURCE TARGET CONTRACT`, the same with `NAMESPACE PACKAGE`, or with a contract of 2021 and the
/// actor first.
#[derive(Debug)]
pub(super) struct DelWords {
    pub(super) source: Option<EntityId>,
    pub(super) target: Option<EntityId>,
    pub(super) contract: Contract,
    either_way: bool,
}

impl DelWords {
    pub(super) fn read(words: &[String]) -> Outcome<DelWords> {
        let usage = || {
            Failure::say(
                Exit::Usage,
                "say which link: its source and its contract, and its target where there are several",
            )
            .help("as in: wash link del http hello wasi:http")
        };
        let (ends, contract) = match words {
            [ends @ .., contract] if contract.contains(':') => (ends, contract.clone()),
            [ends @ .., namespace, package] => (ends, format!("{namespace}:{package}")),
            _ => return Err(usage()),
        };
        let carried = Carried::read(&contract)?;
        let (first, second) = match ends {
            [first] => (entity(first)?, None),
            [first, second] => (entity(first)?, Some(entity(second)?)),
            _ => return Err(usage()),
        };
        let turned = carried.was_turned();
        let (source, target) = if turned { (second, Some(first)) } else { (Some(first), second) };
        Ok(DelWords { source, target, contract: carried.contract, either_way: turned })
    }

    /// Whether only one end was named, so that several links may fit.
    pub(super) fn names_one_end(&self) -> bool {
        self.source.is_none() || self.target.is_none()
    }

    /// Whether the ends are these. With a contract of 2021 they may stand either way round.
    pub(super) fn mean(&self, source: &EntityId, target: &EntityId) -> bool {
        let fits =
            |wanted: &Option<EntityId>, end: &EntityId| wanted.as_ref().is_none_or(|wanted| wanted == end);
        let as_read = fits(&self.source, source) && fits(&self.target, target);
        as_read || (self.either_way && fits(&self.source, target) && fits(&self.target, source))
    }
}

fn entity(text: &str) -> Outcome<EntityId> {
    EntityId::new(text).map_err(Failure::usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn put(line: &str) -> String {
        let is_provider = |id: &EntityId| ["http", "kv"].contains(&id.as_str());
        match PutWords::read(&words(line), &is_provider) {
            Ok(put) => {
                let side = put.provider_side(&[], &is_provider);
                format!(
                    "{} -> {} ({}) {:?} for {side:?}",
                    put.source, put.target, put.carried.contract, put.values
                )
            }
            Err(failure) => failure.json()["error"].as_str().unwrap().to_owned(),
        }
    }

    #[test]
    fn links_as_they_are_written_today_in_v1_and_in_2021() {
        let lines = [
            "http hello wasi:http path=/hello",
            "http hello wasi http",
            "hello kv wasi keyvalue bucket=a=b",
            "hello elsewhere wasi:keyvalue",
            "hello elsewhere wasi:http a=b",
            "echo server wasmcloud:httpserver PORT=8080",
            "http echo wasmcloud:httpserver PORT=8080",
            "echo kv wasmcloud:keyvalue URL=redis://x",
            "http",
            "http hello",
            "http hello path=/hello",
            "http hello wasi",
            "http hello wasi:http nothing",
            "http hel.lo wasi:http",
            "hello log wasi:logging",
            "hello blobs wasmcloud:blobstore",
        ];
        let shown: Vec<_> = lines.iter().map(|line| format!("{line}\n    {}", put(line))).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        http hello wasi:http path=/hello
            http -> hello (wasi:http) {"path": "/hello"} for Some(Source)
        http hello wasi http
            http -> hello (wasi:http) {} for Some(Source)
        hello kv wasi keyvalue bucket=a=b
            hello -> kv (wasi:keyvalue) {"bucket": "a=b"} for Some(Target)
        hello elsewhere wasi:keyvalue
            hello -> elsewhere (wasi:keyvalue) {} for Some(Target)
        hello elsewhere wasi:http a=b
            hello -> elsewhere (wasi:http) {"a": "b"} for None
        echo server wasmcloud:httpserver PORT=8080
            server -> echo (wasi:http) {"PORT": "8080"} for Some(Source)
        http echo wasmcloud:httpserver PORT=8080
            http -> echo (wasi:http) {"PORT": "8080"} for Some(Source)
        echo kv wasmcloud:keyvalue URL=redis://x
            echo -> kv (wasi:keyvalue) {"URL": "redis://x"} for Some(Target)
        http
            a link has a source, a target and a contract
        http hello
            the link has no contract
        http hello path=/hello
            the link has no contract
        http hello wasi
            the link has no contract
        http hello wasi:http nothing
            "nothing" is not KEY=VALUE
        http hel.lo wasi:http
            actor or provider id "hel.lo" holds '.'; allowed are letters, digits, `_` and `-`
        hello log wasi:logging
            wasi:logging needs no link: every host serves it to its actors
        hello blobs wasmcloud:blobstore
            wasmcloud:blobstore is a contract of 2021 that has no name of today
        "#);
    }

    #[test]
    fn which_links_to_delete() {
        let lines = [
            "http wasi http",
            "http wasi:http",
            "http hello wasi:http",
            "http hello wasi http",
            "echo http wasmcloud:httpserver",
            "echo wasmcloud:httpserver",
            "echo wasmcloud:keyvalue",
            "wasi:http",
            "a b c wasi:http",
        ];
        let shown = lines.iter().map(|line| match DelWords::read(&words(line)) {
            Ok(del) => {
                let end = |end: Option<EntityId>| end.map_or("any".to_owned(), |id| id.to_string());
                format!("{line}\n    {} -> {} ({})", end(del.source), end(del.target), del.contract)
            }
            Err(failure) => format!("{line}\n    {}", failure.json()["error"].as_str().unwrap()),
        });
        insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"), @"
        http wasi http
            http -> any (wasi:http)
        http wasi:http
            http -> any (wasi:http)
        http hello wasi:http
            http -> hello (wasi:http)
        http hello wasi http
            http -> hello (wasi:http)
        echo http wasmcloud:httpserver
            http -> echo (wasi:http)
        echo wasmcloud:httpserver
            any -> echo (wasi:http)
        echo wasmcloud:keyvalue
            echo -> any (wasi:keyvalue)
        wasi:http
            say which link: its source and its contract, and its target where there are several
        a b c wasi:http
            say which link: its source and its contract, and its target where there are several
        ");
    }
}
