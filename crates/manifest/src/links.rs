//! Links: ends, contract and direction, today's or of 2021, and what cannot stand side by side.

use std::collections::BTreeMap;

use lattice_core::{
    Alias2021, ConfigName, Contract, Direction, Distance, EntityId, Link, LinkKey, LinkName, alias_2021,
    known,
};

use crate::{
    Problem,
    check::serves,
    fields::{self, Errors, Field, Fields},
    names,
    read::{Named, Reader, id},
    tree::{Key, Node, Place, Value},
};

const LINK: &[Field] = &[
    ("from", Some("source")),
    ("to", Some("target")),
    ("contract", None),
    ("interfaces", None),
    ("name", None),
    ("distance", None),
    ("config", None),
    ("source_config", None),
    ("target_config", None),
    ("source_secrets", None),
    ("target_secrets", None),
];

/// Reads the list of links into the reader's plan.
pub(crate) fn read(reader: &mut Reader<'_>, node: Node) {
    let items = match node.value {
        Value::List(items) => items,
        Value::Null => return,
        other => {
            let problem = Problem::WrongType { field: "links".into(), wanted: "a list", found: other.kind() };
            reader.errors.push(node.place.error(problem));
            return;
        }
    };
    let mut seen = Seen::default();
    for item in items {
        let mut errors = Errors::default();
        let written = Fields::open(item, "a link", LINK, &mut errors).map(Written::take);
        reader.errors.0.append(&mut errors.0);
        if let Some((link, place)) = written.and_then(|written| written.resolve(reader))
            && seen.add(reader, &link, &place)
        {
            reader.plan.links.push(link);
        }
    }
}

/// A link as it stands in the file.
struct Written {
    from: Option<Named>,
    to: Option<Named>,
    contract: Option<Named>,
    interfaces: Option<(Key, Node)>,
    name: Option<Named>,
    distance: Option<Named>,
    config: Option<(Key, Node)>,
    source_config: Option<(Key, Node)>,
    target_config: Option<(Key, Node)>,
    source_secrets: Option<(Key, Node)>,
    target_secrets: Option<(Key, Node)>,
}

impl Written {
    fn take(mut fields: Fields<'_>) -> Self {
        Self {
            from: fields.need_scalar("from"),
            to: fields.need_scalar("to"),
            contract: fields.need_scalar("contract"),
            interfaces: fields.take("interfaces"),
            name: fields.scalar("name"),
            distance: fields.scalar("distance"),
            config: fields.take("config"),
            source_config: fields.take("source_config"),
            target_config: fields.take("target_config"),
            source_secrets: fields.take("source_secrets"),
            target_secrets: fields.take("target_secrets"),
        }
    }

    /// Checks everything there is to check on this link alone. `None` if it cannot be a link; the errors are kept.
    fn resolve(self, reader: &mut Reader<'_>) -> Option<(Link, Place)> {
        let from = self.from.and_then(|from| end(reader, from));
        let to = self.to.and_then(|to| end(reader, to));
        let contract = self.contract.and_then(|named| contract(reader, &named).map(|(c, a)| (c, a, named.0)));
        let name = match self.name {
            Some(named) => reader.errors.take(fields::parsed(&named, "a link name", str::parse::<LinkName>)),
            None => Some(LinkName::default()),
        };
        let distance = match self.distance {
            Some(named) => reader.errors.take(fields::parsed(&named, "a distance", str::parse::<Distance>)),
            None => Some(Distance::default()),
        };
        let (contract, alias, place) = contract?;
        let interfaces = interfaces(reader, self.interfaces, &contract);
        let (mut from, mut to, name, distance) = (from?, to?, name?, distance?);
        // In 2021 the actor always came first, also where the provider calls it.
        let turned = alias.is_some_and(|alias| alias.direction == Direction::ToActor)
            && !reader.known.is_provider(&from.0);
        if turned {
            std::mem::swap(&mut from, &mut to);
        }
        let direction = alias.map(|alias| alias.direction).or_else(|| direction(&contract, &interfaces));
        let ends = Ends { source: from, target: to, contract, direction };
        ends.check(reader, &place)?;
        let provider = ends.provider_side(reader);
        let mut sides =
            Sides { ends: &ends, alias, name: &name, provider, source: Vec::new(), target: Vec::new() };
        // `source` and `target` mean the ends as written; a turned link turns its configurations with it.
        let (of_source, of_target, secrets) = if turned {
            (self.target_config, self.source_config, (self.target_secrets, self.source_secrets))
        } else {
            (self.source_config, self.target_config, (self.source_secrets, self.target_secrets))
        };
        sides.give(reader, Side::Source, of_source);
        sides.give(reader, Side::Target, of_target);
        sides.short_form(reader, self.config);
        let (source_config, target_config) = (sides.source, sides.target);
        let (source_secrets, target_secrets) = (reader.secrets(secrets.0), reader.secrets(secrets.1));
        let link = Link {
            source: ends.source.0,
            target: ends.target.0,
            name,
            wit_namespace: ends.contract.namespace().to_owned(),
            wit_package: ends.contract.package().to_owned(),
            interfaces,
            source_config,
            target_config,
            source_secrets,
            target_secrets,
            distance,
        };
        if let Err(rejection) = link.check() {
            reader.errors.push(place.error(rejection));
            return None;
        }
        Some((link, place))
    }
}

/// One end: an id, noted if the file does not start it.
fn end(reader: &mut Reader<'_>, named: Named) -> Option<(EntityId, Place)> {
    let id = reader.errors.take(id(&named))?;
    if !reader.known.is_declared(&id) {
        let near = names::nearest(id.as_str(), reader.known.names());
        let near = near.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default();
        let message = format!("{id} is not in this file{near}; the link is pending until it runs somewhere");
        reader.note(&named.0, message);
    }
    Some((id, named.0))
}

fn contract(reader: &mut Reader<'_>, named: &Named) -> Option<(Contract, Option<&'static Alias2021>)> {
    if let Some(alias) = alias_2021(&named.1.text) {
        return needs_link(reader, &named.0, alias.contract()).map(|contract| (contract, Some(alias)));
    }
    let contract = reader.errors.take(fields::parsed(named, "a contract", str::parse::<Contract>))?;
    if contract.namespace() == "wasmcloud" && known(&contract).is_none() {
        let message = format!("{contract} is a contract of 2021 that has no name of today");
        let help = "write the WIT package that the actor imports or exports, as in wasi:keyvalue";
        reader.errors.push(named.0.error_with(Problem::Misuse { message }, help));
        return None;
    }
    if known(&contract).is_none() {
        let all: Vec<_> =
            lattice_core::KNOWN.iter().map(|row| format!("{}:{}", row.namespace, row.package)).collect();
        if let Some(near) = names::nearest(&contract.to_string(), all.iter().map(String::as_str)) {
            reader
                .note(&named.0, format!("{contract} is not a contract of the lattice; did you mean {near}?"));
        }
    }
    needs_link(reader, &named.0, contract).map(|contract| (contract, None))
}

/// Refuses contracts that the host serves without a link: the link would do nothing.
fn needs_link(reader: &mut Reader<'_>, place: &Place, contract: Contract) -> Option<Contract> {
    if known(&contract).is_none_or(|row| row.linked) {
        return Some(contract);
    }
    let message = format!("{contract} needs no link: every host serves it to its actors");
    let help = match contract.package() {
        "config" => "take the link out, and give the actor its values under config",
        "secrets" => "take the link out, and name the actor's secrets under secrets",
        _ => "take the link out",
    };
    reader.errors.push(place.error_with(Problem::Misuse { message }, help));
    None
}

fn interfaces(reader: &mut Reader<'_>, field: Option<(Key, Node)>, contract: &Contract) -> Vec<String> {
    let Some((key, node)) = field else { return Vec::new() };
    let items = match node.value {
        Value::List(items) => items,
        Value::Null => Vec::new(),
        _ => vec![node],
    };
    let mut interfaces = Vec::new();
    for item in items {
        let Some((place, scalar)) = reader.errors.take(fields::scalar(&key.text, &key.place, item)) else {
            continue;
        };
        let row = known(contract);
        let is_known = row.is_none_or(|row| row.interfaces.iter().any(|(name, _)| *name == scalar.text));
        if !is_known {
            let all: Vec<_> = row.iter().flat_map(|row| row.interfaces).map(|(name, _)| *name).collect();
            let help = match names::nearest(&scalar.text, all.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("it has {}", all.join(", ")),
            };
            let mut error = fields::bad(
                &place,
                &scalar,
                &key.text,
                format!("{contract} has no interface {:?}", scalar.text),
                "an interface",
            );
            error.help = Some(help.into());
            reader.errors.push(error);
        } else if !interfaces.contains(&scalar.text) {
            interfaces.push(scalar.text);
        }
    }
    interfaces
}

/// Which end calls, where the contract leaves no doubt.
fn direction(contract: &Contract, interfaces: &[String]) -> Option<Direction> {
    let granted = |name: &str| interfaces.is_empty() || interfaces.iter().any(|i| i == name);
    let mut ways = known(contract)?.interfaces.iter().filter(|(name, _)| granted(name)).map(|(_, way)| *way);
    let first = ways.next()?;
    ways.all(|way| way == first).then_some(first)
}

/// Both ends of a link, source first.
struct Ends {
    source: (EntityId, Place),
    target: (EntityId, Place),
    contract: Contract,
    direction: Option<Direction>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

impl Ends {
    /// Checks what the file knows of its providers against the link.
    fn check(&self, reader: &mut Reader<'_>, place: &Place) -> Option<()> {
        let (source, target) = (&self.source.0, &self.target.0);
        if reader.known.is_provider(source) && reader.known.is_provider(target) {
            let message =
                format!("{source} and {target} are both providers; a link has an actor at one end at least");
            reader.errors.push(self.target.1.error(Problem::Misuse { message }));
            return None;
        }
        for (id, at, way_if_here) in
            [(source, &self.source.1, Direction::ToActor), (target, &self.target.1, Direction::ToProvider)]
        {
            let Some((contract, way)) = reader.known.builtin(id).and_then(serves) else { continue };
            if contract != self.contract {
                let message = format!("{id} serves {contract}, not {}", self.contract);
                reader.errors.push(place.error(Problem::Misuse { message }));
                return None;
            }
            let other = if id == source { target } else { source };
            if way != way_if_here || self.direction.is_some_and(|direction| direction != way) {
                let (message, right) = match way {
                    Direction::ToActor => {
                        (format!("{id} calls actors, not the other way round"), (id, other))
                    }
                    Direction::ToProvider => {
                        (format!("{id} is called by actors, not the other way round"), (other, id))
                    }
                };
                let help = format!("write from: {} and to: {}", right.0, right.1);
                reader.errors.push(at.error_with(Problem::Misuse { message }, help));
                return None;
            }
        }
        Some(())
    }

    /// The end that is a provider: the file may say so, or the contract.
    fn provider_side(&self, reader: &Reader<'_>) -> Option<Side> {
        if reader.known.is_provider(&self.source.0) {
            return Some(Side::Source);
        }
        if reader.known.is_provider(&self.target.0) {
            return Some(Side::Target);
        }
        if reader.known.is_actor(&self.source.0) && reader.known.is_actor(&self.target.0) {
            return None;
        }
        match self.direction {
            _ if reader.known.is_actor(&self.source.0) => Some(Side::Target),
            _ if reader.known.is_actor(&self.target.0) => Some(Side::Source),
            Some(Direction::ToActor) => Some(Side::Source),
            Some(Direction::ToProvider) => Some(Side::Target),
            None => None,
        }
    }
}

/// The configurations of both ends, as they come together.
struct Sides<'l> {
    ends: &'l Ends,
    alias: Option<&'static Alias2021>,
    name: &'l LinkName,
    provider: Option<Side>,
    source: Vec<ConfigName>,
    target: Vec<ConfigName>,
}

impl Sides<'_> {
    fn give(&mut self, reader: &mut Reader<'_>, side: Side, field: Option<(Key, Node)>) {
        let Some((key, node)) = field else { return };
        let Ends { source, target, contract, .. } = self.ends;
        let end = if side == Side::Source { "source" } else { "target" };
        // `/` stands in no id, so that no two links share a generated name.
        let inline = format!(
            "{}/{}/{}/{}/{}/{}/{end}",
            reader.app,
            source.0,
            target.0,
            contract.namespace(),
            contract.package(),
            self.name
        );
        let alias = self.alias.filter(|_| self.provider == Some(side));
        let configs = reader.config(&key, node, &inline, |values: BTreeMap<_, _>| match alias {
            Some(alias) => alias.translate(&values),
            None => values,
        });
        match side {
            Side::Source => self.source = configs,
            Side::Target => self.target = configs,
        }
    }

    /// `config` alone is for the provider's end, wherever that is.
    fn short_form(&mut self, reader: &mut Reader<'_>, field: Option<(Key, Node)>) {
        let Some((key, node)) = field else { return };
        let Some(side) = self.provider else {
            let message =
                "config is for the provider's end of a link, and here neither end is known to be one";
            let help = "write source_config or target_config instead";
            reader.errors.push(key.place.error_with(Problem::Misuse { message: message.to_owned() }, help));
            return;
        };
        let taken = if side == Side::Source { &self.source } else { &self.target };
        if !taken.is_empty() {
            let second = if side == Side::Source { "source_config" } else { "target_config" };
            reader.errors.push(key.place.error(Problem::TwoNames { first: "config", second }));
            return;
        }
        self.give(reader, side, Some((key, node)));
    }
}

/// The links so far, against which each further one is held.
#[derive(Default)]
struct Seen {
    keys: BTreeMap<LinkKey, u32>,
    links: Vec<(Link, u32)>,
}

impl Seen {
    /// True if the link may stand beside those before it.
    fn add(&mut self, reader: &mut Reader<'_>, link: &Link, place: &Place) -> bool {
        let Ok(key) = link.key() else { return false };
        if let Some(first) = self.keys.get(&key) {
            let problem = Problem::Twice { what: format!("the link {key}"), first: *first };
            reader.errors.push(place.error_with(problem, "give one of them another name"));
            return false;
        }
        // A provider picks its target itself (an HTTP server by path), so its links do not conflict.
        let other = self.links.iter().find(|(other, _)| link.conflicts_with(other));
        if let Some((other, line)) = other.filter(|_| !reader.known.is_provider(&link.source)) {
            let message = format!(
                "{} would call both {} (line {line}) and {} through link {} of {}",
                link.source, other.target, link.target, link.name, key.contract
            );
            let help = "give one of the links another name, or list interfaces that do not overlap";
            reader.errors.push(place.error_with(Problem::Misuse { message }, help));
            return false;
        }
        self.keys.insert(key, place.line);
        self.links.push((link.clone(), place.line));
        true
    }
}
