//! Contexts: which lattice is meant, where, and with which credentials, kept so that commands need not be told.
//!
//! One file each, `NAME.json`, beside `index.json` that names the current one; the fields are those of wasmCloud 1.x where it has
//! them. Credentials themselves are never in them, only the names of their files.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use lattice_core::LatticeName;
use serde::{Deserialize, Serialize};

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    files,
};

const FILE_BYTES_MAX: u64 = 64 * 1024;
const INDEX: &str = "index";

/// One context. Unknown fields are ignored, missing ones read as their defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Context {
    /// Its name.
    pub(crate) name: String,
    /// The lattice.
    #[serde(alias = "lattice_prefix", skip_serializing_if = "Option::is_none")]
    pub(crate) lattice: Option<LatticeName>,
    /// Servers, as `nats://HOST:PORT` joined by commas; goes before host and port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nats_url: Option<String>,
    /// The server's host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ctl_host: Option<String>,
    /// Its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ctl_port: Option<u16>,
    /// The credentials file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ctl_credsfile: Option<PathBuf>,
    /// The file of the user key that signs what is commanded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ctl_signing_key: Option<PathBuf>,
    /// Certificates to trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ctl_tls_ca_file: Option<PathBuf>,
    /// Whether TLS comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ctl_tls_first: Option<bool>,
    /// The JetStream domain of the lattice's state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) js_domain: Option<String>,
}

impl Context {
    /// Where its server is.
    pub(crate) fn url(&self) -> String {
        self.nats_url.clone().unwrap_or_else(|| {
            let host = self.ctl_host.as_deref().unwrap_or("127.0.0.1");
            format!("nats://{host}:{}", self.ctl_port.unwrap_or(4222))
        })
    }

    /// True if it is about one of the servers of `url`.
    fn is_about(&self, url: &str) -> bool {
        let own = self.url();
        let mut own = own.split(',').map(address);
        own.any(|own| url.split(',').any(|other| address(other) == own))
    }
}

/// `host:port` of a server's URL, the same for every way to write it.
fn address(url: &str) -> String {
    let rest = url.trim().split_once("://").map_or(url.trim(), |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest).trim_end_matches('/');
    let with_port = rest.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let full = if with_port { rest.to_owned() } else { format!("{rest}:4222") };
    full.replace("localhost:", "127.0.0.1:").to_ascii_lowercase()
}

/// The file that names the current context.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Index {
    #[serde(default)]
    name: String,
}

/// The folder of contexts.
#[derive(Debug, Clone)]
pub(crate) struct Contexts(PathBuf);

impl Contexts {
    /// The folder named in the environment, else the user's; none without a home.
    pub(crate) fn of_user() -> Option<Contexts> {
        let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let named =
            std::env::var_os("WASH_CONTEXTS").map(PathBuf::from).filter(|dir| !dir.as_os_str().is_empty());
        let config = || folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
        named.or_else(|| config().map(|base| base.join("wash/contexts"))).map(Contexts)
    }

    /// The same, where a command cannot do without.
    ///
    /// # Errors
    /// There is no home folder.
    pub(crate) fn required() -> Outcome<Contexts> {
        Contexts::of_user().ok_or_else(|| {
            Failure::say(Exit::Refused, "there is no home folder to keep contexts in")
                .help("name a folder in the environment: WASH_CONTEXTS=DIR")
        })
    }

    /// The folder itself.
    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    /// The file of the context `name`.
    ///
    /// # Errors
    /// That cannot be a name.
    pub(crate) fn file(&self, name: &str) -> Outcome<PathBuf> {
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
        if name.is_empty() || name.starts_with('.') || name == INDEX || !name.chars().all(sound) {
            return Err(Failure::say(Exit::Usage, format!("{name:?} cannot be the name of a context"))
                .help("letters, digits, `-`, `_`, `.` and `@` may stand in it"));
        }
        Ok(self.0.join(format!("{name}.json")))
    }

    /// The context `name`; none if there is none.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub(crate) fn get(&self, name: &str) -> Outcome<Option<Context>> {
        let context: Option<Context> = self.read(&self.file(name)?)?;
        Ok(context.map(|context| Context { name: name.to_owned(), ..context }))
    }

    /// The context `name`, which has to be there.
    ///
    /// # Errors
    /// There is none, or its file cannot be read.
    pub(crate) fn require(&self, name: &str) -> Outcome<Context> {
        self.get(name)?.ok_or_else(|| {
            Failure::say(Exit::Refused, format!("there is no context {name} in {}", self.0.display()))
                .help("see which there are with `wash ctx list`; `wash ctx new` makes one")
        })
    }

    /// The current context; none where none is chosen, or where the chosen one is gone.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn current(&self) -> Outcome<Option<Context>> {
        let index: Option<Index> = self.read(&self.0.join(format!("{INDEX}.json")))?;
        match index.filter(|index| !index.name.is_empty()) {
            Some(Index { name }) => self.get(&name),
            None => Ok(None),
        }
    }

    /// A context for a server: the current one if it is about it, else the first by name that is and has credentials.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn about(&self, url: &str) -> Outcome<Option<Context>> {
        if let Some(current) = self.current()?.filter(|context| context.is_about(url)) {
            return Ok(Some(current));
        }
        let fits = |context: &Context| context.ctl_credsfile.is_some() && context.is_about(url);
        Ok(self.list()?.into_iter().find(fits))
    }

    /// All contexts, by name.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn list(&self) -> Outcome<Vec<Context>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.cannot("read", error)),
        };
        let mut all = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| self.cannot("read", error))?.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
            if name != INDEX && path.extension().is_some_and(|ending| ending == "json") {
                all.extend(self.get(&name)?);
            }
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// Keeps a context, in the place of one of its name.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn save(&self, context: &Context) -> Outcome {
        self.write(&self.file(&context.name)?, context)
    }

    /// Makes the context `name` the current one.
    ///
    /// # Errors
    /// There is none, or the file cannot be written.
    pub(crate) fn choose(&self, name: &str) -> Outcome<Context> {
        let context = self.require(name)?;
        self.write(&self.0.join(format!("{INDEX}.json")), &Index { name: name.to_owned() })?;
        Ok(context)
    }

    /// Removes the context `name`. Where it was the current one, none is.
    ///
    /// # Errors
    /// There is none, or the file cannot be removed.
    pub(crate) fn remove(&self, name: &str) -> Outcome {
        let file = self.file(name)?;
        self.require(name)?;
        fs::remove_file(&file).map_err(|error| self.cannot("remove a context from", error))
    }

    fn read<T: for<'a> Deserialize<'a>>(&self, file: &Path) -> Outcome<Option<T>> {
        let text = match files::read_text(file, FILE_BYTES_MAX) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Failure::refused(error).context(format!("cannot read {}", file.display())));
            }
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Failure::refused(error)
                .context(format!("{} is no context", file.display()))
                .help("mend the file, or remove it")
        })
    }

    fn write(&self, file: &Path, value: &impl Serialize) -> Outcome {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.map_err(|error| self.cannot("make", error))?;
        let bytes = serde_json::to_vec_pretty(value).map_err(Failure::refused)?;
        files::write_private(file, &bytes)
    }

    fn cannot(&self, what: &str, error: io::Error) -> Failure {
        Failure::refused(error)
            .context(format!("cannot {what} {}", self.0.display()))
            .help("make it yours, or name another folder in WASH_CONTEXTS")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn context(name: &str, port: u16) -> Context {
        Context {
            name: name.to_owned(),
            ctl_port: Some(port),
            ctl_credsfile: Some("/x.creds".into()),
            ..Context::default()
        }
    }

    #[test]
    fn kept_chosen_found_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let contexts = Contexts(folder.path().join("contexts"));
        assert!(contexts.list().unwrap().is_empty() && contexts.current().unwrap().is_none());
        for (name, port) in [("b", 2), ("a", 1), ("c", 2)] {
            contexts.save(&context(name, port)).unwrap();
        }
        contexts.choose("c").unwrap();
        assert_eq!(contexts.current().unwrap(), Some(context("c", 2)));
        let names: Vec<String> = contexts.list().unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let about = |url: &str| contexts.about(url).unwrap().map(|one| one.name);
        assert_eq!(about("nats://127.0.0.1:2").as_deref(), Some("c"), "the current one first");
        assert_eq!(about("nats://other:9,tls://localhost:1/").as_deref(), Some("a"));
        assert_eq!(about("nats://127.0.0.1"), None);
        for file in ["index.json", "c.json"] {
            let mode = fs::metadata(contexts.dir().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        contexts.remove("c").unwrap();
        assert!(contexts.current().unwrap().is_none() && contexts.remove("c").is_err());
        assert!(contexts.choose("c").is_err());
        for bad in ["", ".x", "a/b", "index"] {
            assert_eq!(contexts.get(bad).unwrap_err().exit(), Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn a_damaged_file_reads_or_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let contexts = Contexts(folder.path().join("contexts"));
        contexts.save(&context("a", 1)).unwrap();
        let file = contexts.dir().join("a.json");
        let good = fs::read(&file).unwrap();
        for at in 0..good.len() {
            for byte in [0, b'"', b'{', b'9', 0xff] {
                let mut damaged = good.clone();
                damaged[at] = byte;
                fs::write(&file, &damaged).unwrap();
                if let Err(failure) = contexts.get("a") {
                    assert!(failure.text().contains("a.json"), "{}", failure.text());
                }
            }
        }
    }

    #[test]
    fn those_of_v1_read() {
        let text = r#"{"name":"old","ctl_host":"broker","ctl_port":4333,"lattice_prefix":"shop","ctl_timeout":2000,"cluster_seed":null}"#;
        let read: Context = serde_json::from_str(text).unwrap();
        assert_eq!((read.url().as_str(), read.lattice.unwrap().as_str()), ("nats://broker:4333", "shop"));
    }
}
