//! Text to manifest: the top level, configurations, providers and actors. Links are in `links`.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use lattice_core::{ActorId, ConfigName, EntityId, IdError, IdKind, ImageRef, Labels, ProviderId, QUEUE_MAX};

use crate::{
    Actor, Limits, Manifest, ManifestErrors, NamedConfig, Note, Plan, Problem, Provider,
    check::Known,
    fields::{self, Errors, Field, Fields},
    foreign, links,
    tree::{self, Key, Node, Place, Scalar, Value},
    units,
};

/// Invocations that one replica of an actor serves at once, where the manifest does not say.
const CONCURRENCY_DEFAULT: u32 = 100;
const REPLICAS_MAX: u32 = 10_000;
const CONCURRENCY_MAX: u32 = 1_000_000;
const REUSE_MAX: u32 = 1_000_000;

const ROOT: &[Field] = &[
    ("app", Some("name")),
    ("labels", None),
    ("configs", None),
    ("providers", None),
    ("actors", None),
    ("links", None),
];
const PROVIDER: &[Field] = &[("name", None), ("image", None), ("config", None)];
const ACTOR: &[Field] = &[
    ("name", None),
    ("image", None),
    ("replicas", None),
    ("concurrency", None),
    ("queue", None),
    ("reuse", None),
    ("limits", None),
    ("config", None),
    ("secrets", None),
];
const LIMITS: &[Field] = &[("memory", None), ("cpu", None), ("wall", None)];

/// Reads a manifest.
///
/// `file_name` is what errors call the file. `base_dir` is the folder of the file: relative paths in the manifest start
/// there; give it absolute, since nothing here asks for the working directory. `vars` gives a variable's value, usually
/// from the environment.
///
/// # Errors
/// All errors that were found. A text that is not YAML, or a variable without a value, is the only error of its run.
pub fn parse(
    text: &str,
    file_name: &str,
    base_dir: &Path,
    vars: &dyn Fn(&str) -> Option<String>,
) -> Result<Manifest, ManifestErrors> {
    let fail = |errors| ManifestErrors::new(file_name, text, errors);
    let root = tree::read(text, vars).map_err(fail)?;
    if let Value::Map(entries) = &root.value
        && let Some(error) = foreign::recognise(entries)
    {
        return Err(fail(vec![error]));
    }
    let mut reader = Reader::new(base_dir);
    let manifest = reader.root(root);
    match manifest {
        Some(manifest) if reader.errors.0.is_empty() => Ok(manifest),
        _ => Err(fail(reader.errors.0)),
    }
}

/// What is collected while a manifest is read.
pub(crate) struct Reader<'b> {
    base_dir: &'b Path,
    pub(crate) app: EntityId,
    pub(crate) errors: Errors,
    pub(crate) notes: Vec<Note>,
    pub(crate) plan: Plan,
    pub(crate) known: Known,
}

impl<'b> Reader<'b> {
    fn new(base_dir: &'b Path) -> Self {
        let app = EntityId::new("app").expect("three letters are a legal id");
        let (errors, notes) = (Errors::default(), Vec::new());
        Self { base_dir, app, errors, notes, plan: Plan::default(), known: Known::default() }
    }

    fn root(&mut self, root: Node) -> Option<Manifest> {
        let mut errors = Errors::default();
        let fields = Fields::open(root, "the manifest", ROOT, &mut errors);
        let Some(mut fields) = fields else {
            self.errors.0.append(&mut errors.0);
            return None;
        };
        let app = fields.need_scalar("app").and_then(|app| self.errors.take(id(&app)));
        let labels = fields.take("labels").map(|(_, node)| self.labels(node)).unwrap_or_default();
        let parts = ["configs", "providers", "actors", "links"].map(|name| fields.take(name));
        self.errors.0.append(&mut errors.0);
        if let Some(app) = &app {
            self.app = app.clone();
        }
        let [configs, providers, actors, links] = parts;
        if let Some((_, node)) = configs {
            self.configs(node);
        }
        if let Some((_, node)) = providers {
            self.entities(node, "a provider", Self::provider);
        }
        if let Some((_, node)) = actors {
            self.entities(node, "an actor", Self::actor);
        }
        if let Some((_, node)) = links {
            links::read(self, node);
        }
        self.notes.sort_by_key(|note| (note.line, note.column));
        let (plan, notes) = (std::mem::take(&mut self.plan), std::mem::take(&mut self.notes));
        Some(Manifest { app: app?, labels, plan, notes })
    }

    fn labels(&mut self, node: Node) -> Labels {
        let mut labels = Labels::default();
        for (key, value) in self.mapping(node, "labels", "a mapping of labels") {
            if let Some(value) = self.errors.take(fields::scalar(&key.text, &key.place, value))
                && let Err(error) = labels.set(&key.text, &value.1.text)
            {
                self.errors.push(key.place.error(error));
            }
        }
        labels
    }

    fn configs(&mut self, node: Node) {
        for (key, value) in self.mapping(node, "configs", "a mapping of names to values") {
            let values = self.values(value);
            match ConfigName::new(&key.text) {
                Ok(name) => self.plan.configs.push(NamedConfig { name, values }),
                Err(error) => self.errors.push(key.place.error(error)),
            }
        }
    }

    /// The entries of a mapping; nothing reads as none, anything else is an error.
    pub(crate) fn mapping(&mut self, node: Node, field: &str, wanted: &'static str) -> Vec<(Key, Node)> {
        match node.value {
            Value::Map(entries) => entries,
            Value::Null => Vec::new(),
            other => {
                let (field, found) = (field.to_owned(), other.kind());
                self.errors.push(node.place.error(Problem::WrongType { field, wanted, found }));
                Vec::new()
            }
        }
    }

    /// The values of one configuration, as text.
    pub(crate) fn values(&mut self, node: Node) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for (key, value) in self.mapping(node, "config", "a mapping of keys to values") {
            if let Some((_, scalar)) = self.errors.take(fields::scalar(&key.text, &key.place, value)) {
                values.insert(key.text, scalar.text);
            }
        }
        values
    }

    /// Providers or actors: a list whose items have a `name`, or a mapping from names.
    fn entities(&mut self, node: Node, what: &'static str, read: fn(&mut Self, Option<Named>, Node)) {
        match node.value {
            Value::Null => {}
            Value::List(items) => items.into_iter().for_each(|item| read(self, None, item)),
            Value::Map(entries) => {
                for (key, value) in entries {
                    let named = (key.place, Scalar { text: key.text, raw: None });
                    read(self, Some(named), value);
                }
            }
            other => {
                let wanted = "a list of items with a name, or a mapping from names";
                let problem = Problem::WrongType { field: what.to_owned(), wanted, found: other.kind() };
                self.errors.push(node.place.error(problem));
            }
        }
    }

    fn provider(&mut self, named: Option<Named>, node: Node) {
        let mut errors = Errors::default();
        if let Some(mut fields) = Fields::open(node, "a provider", PROVIDER, &mut errors) {
            let name = name(named, &mut fields);
            let image = fields.need_scalar("image");
            let config = fields.take("config");
            let id = self.entity(name);
            let image = image.and_then(|image| self.image(&image, true));
            let config = self.config_of(id.as_ref(), config);
            if let Some(id) = &id {
                self.known.provider(id, image.as_ref());
            }
            if let (Some(id), Some(image)) = (id, image) {
                self.plan.providers.push(Provider { id: ProviderId::from(id), image, config });
            }
        }
        self.errors.0.append(&mut errors.0);
    }

    fn actor(&mut self, named: Option<Named>, node: Node) {
        let mut errors = Errors::default();
        if let Some(mut fields) = Fields::open(node, "an actor", ACTOR, &mut errors) {
            let name = name(named, &mut fields);
            let image = fields.need_scalar("image");
            let replicas = fields.number("replicas", 1, REPLICAS_MAX).unwrap_or(1);
            let concurrency = fields.number("concurrency", 1, CONCURRENCY_MAX).unwrap_or(CONCURRENCY_DEFAULT);
            let queue = fields.number("queue", 0, QUEUE_MAX);
            let reuse = fields.number("reuse", 1, REUSE_MAX).unwrap_or(1);
            let limits = fields.take("limits").map(|(_, node)| limits(node, fields.errors()));
            let (config, secrets) = (fields.take("config"), fields.take("secrets"));
            let id = self.entity(name);
            let image = image.and_then(|image| self.image(&image, false));
            let config = self.config_of(id.as_ref(), config);
            let secrets = self.secrets(secrets);
            if let (Some(id), Some(image)) = (id, image) {
                let limits = limits.unwrap_or_default();
                let id = ActorId::from(id);
                let actor = Actor { id, image, replicas, concurrency, queue, reuse, limits, config, secrets };
                self.plan.actors.push(actor);
            }
        }
        self.errors.0.append(&mut errors.0);
    }

    /// Checks a name, and that nothing else in the file has it.
    fn entity(&mut self, name: Option<Named>) -> Option<EntityId> {
        let name = name?;
        let id = self.errors.take(id(&name))?;
        match self.known.declare(&id, name.0.line) {
            Ok(()) => Some(id),
            Err(first) => {
                self.errors.push(name.0.error(Problem::Twice { what: format!("the name {id:?}"), first }));
                None
            }
        }
    }

    fn image(&mut self, image: &Named, provider: bool) -> Option<ImageRef> {
        let read = fields::parsed(image, "an image reference", str::parse::<ImageRef>);
        let place = &image.0;
        let misuse = |message: &str| place.error(Problem::Misuse { message: message.to_owned() });
        match self.errors.take(read)? {
            ImageRef::Builtin(builtin) if !provider => {
                let message = format!("builtin://{} is a provider, not an actor", builtin.name());
                self.errors.push(place.error_with(Problem::Misuse { message }, "move it to providers"));
                None
            }
            ImageRef::File(path) if provider && path.extension().is_some_and(|ending| ending == "wasm") => {
                let help =
                    "a wasm file is an actor: move it to actors. A provider is builtin://NAME or an archive";
                let mut error = misuse("a provider cannot be a wasm file");
                error.help = Some(help.into());
                self.errors.push(error);
                None
            }
            ImageRef::File(path) if path.starts_with("~") => {
                let message = "`~` is not the home folder here; write the path, or use `${HOME}/…`";
                self.errors.push(misuse(message));
                None
            }
            ImageRef::File(path) => Some(ImageRef::File(clean(&self.base_dir.join(path)))),
            image => Some(image),
        }
    }

    fn config_of(&mut self, id: Option<&EntityId>, config: Option<(Key, Node)>) -> Vec<ConfigName> {
        let Some((key, node)) = config else { return Vec::new() };
        let app = self.app.clone();
        let inline = id.map(|id| format!("{app}/{id}")).unwrap_or_default();
        self.config(&key, node, &inline, |values| values)
    }

    /// A `config` field: values in place, which become a configuration called `inline`, or names of configurations.
    pub(crate) fn config(
        &mut self,
        key: &Key,
        node: Node,
        inline: &str,
        translate: impl FnOnce(BTreeMap<String, String>) -> BTreeMap<String, String>,
    ) -> Vec<ConfigName> {
        match node.value {
            Value::Null => Vec::new(),
            Value::Map(_) => {
                let values = translate(self.values(node));
                match ConfigName::new(crate::check::bounded(inline)) {
                    Ok(_) if values.is_empty() => Vec::new(),
                    Ok(name) => {
                        self.plan.configs.push(NamedConfig { name: name.clone(), values });
                        vec![name]
                    }
                    // Only where the owner's name is wrong, which has been said.
                    Err(_) => Vec::new(),
                }
            }
            Value::Scalar(scalar) => self.config_name(&(node.place, scalar)).into_iter().collect(),
            Value::List(items) => {
                let names = items.into_iter().filter_map(|item| {
                    let named = self.errors.take(fields::scalar(&key.text, &key.place, item))?;
                    self.config_name(&named)
                });
                names.collect()
            }
        }
    }

    fn config_name(&mut self, named: &Named) -> Option<ConfigName> {
        let name = self.errors.take(fields::parsed(
            named,
            "the name of a configuration",
            str::parse::<ConfigName>,
        ))?;
        if !self.plan.configs.iter().any(|config| config.name == name) {
            let message = format!(
                "config {name} is not in this file; what needs it waits until there is one (wash config put {name} KEY=VALUE)"
            );
            self.note(&named.0, message);
        }
        Some(name)
    }

    pub(crate) fn note(&mut self, place: &Place, message: String) {
        self.notes.push(Note { line: place.line, column: place.column, message });
    }
}

/// A scalar with its place.
pub(crate) type Named = (Place, Scalar);

/// The name of an entity: the key it stands under, or its `name` field.
fn name(named: Option<Named>, fields: &mut Fields<'_>) -> Option<Named> {
    match named {
        Some(named) => {
            if let Some((key, _)) = fields.take("name") {
                let message = "the name already stands before the colon".to_owned();
                fields.errors().push(key.place.error(Problem::Misuse { message }));
            }
            Some(named)
        }
        None => fields.need_scalar("name"),
    }
}

/// The name of an actor, a provider or the app.
pub(crate) fn id(named: &Named) -> Result<EntityId, crate::ManifestError> {
    let id = fields::parsed(named, "a name", |text| EntityId::new(text).map_err(said_as_name))?;
    if is_key(id.as_str()) {
        let help = "give it a name of your own, as in `name: hello`, and use that in links";
        return Err(named.0.error_with(Problem::PastedKey { text: id.to_string() }, help));
    }
    Ok(id)
}

fn said_as_name(error: IdError) -> Problem {
    match error {
        IdError::Empty { .. } => Problem::Id(IdError::Empty { kind: IdKind::Entity }),
        other => Problem::Id(other),
    }
}

/// True for the public keys that were pasted into manifests of old.
fn is_key(text: &str) -> bool {
    text.len() == 56
        && text.starts_with(['M', 'V', 'N', 'A'])
        && text.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b))
}

fn limits(node: Node, errors: &mut Errors) -> Limits {
    let Some(mut fields) = Fields::open(node, "limits", LIMITS, errors) else { return Limits::default() };
    let memory_bytes = quantity(&mut fields, "memory", "a size", units::bytes);
    let cpu = quantity(&mut fields, "cpu", "a time", units::duration);
    let wall = quantity(&mut fields, "wall", "a time", units::duration);
    Limits { memory_bytes, cpu, wall }
}

fn quantity<T>(
    fields: &mut Fields<'_>,
    name: &'static str,
    wanted: &'static str,
    read: fn(&str) -> Result<T, String>,
) -> Option<T> {
    let (place, scalar) = fields.scalar(name)?;
    let result = read(&scalar.text).map_err(|message| fields::bad(&place, &scalar, name, message, wanted));
    fields.errors().take(result)
}

/// The path without `.` and, where a folder can be taken back, without `..`.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(clean.components().next_back(), Some(Component::Normal(_))) => {
                clean.pop();
            }
            Component::ParentDir if matches!(clean.components().next_back(), Some(Component::RootDir)) => {}
            other => clean.push(other),
        }
    }
    clean
}
