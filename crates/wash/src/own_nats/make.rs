//! Making the folder.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use lattice_claims::{
    KeyPair,
    nats::{AccountToken, OperatorToken, Times},
};
use lattice_core::{
    EntityId,
    permission::{Principal, Reach},
};

use super::{
    NewUser, OwnNats, Plan, TlsFiles,
    config::ServerConfig,
    folder::cannot,
    keys,
    server::{self, About},
};
use crate::{
    clock,
    exit::Exit,
    failure::{Failure, Outcome},
    files,
};

/// What is written of a server, beside its configuration.
const README: &str = "\
This folder is all that this NATS server needs. Copy it whole, keep it to yourself (it holds keys), and start the server in it:

    nats-server -c nats-server.conf

or start the server together with a host:

    wash up --nats-dir .

host.creds       for hosts of the lattice: wasmcloud --nats-creds host.creds
operator.creds   for whoever steers it: wash get hosts --ctl-credsfile operator.creds
admin.nk         signs what is commanded, if it is there: wash ... --signing-key admin.nk. Hosts that you start by hand need
                 --require-signed-control, and --admin for each of the admins in server.json
providers-*.key  for hosts too: beside host.creds, to sign the credentials of their provider processes
";

/// Certificate, key and authority for TLS, to be copied.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsGiven {
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) ca: Option<PathBuf>,
}

impl TlsGiven {
    /// Copies what is given into the folder of a server.
    pub(super) fn copy_to(&self, server: &Path) -> Outcome {
        for (given, file) in [(&self.cert, server::CERT), (&self.key, server::KEY), (&self.ca, server::CA)] {
            if let Some(given) = given {
                copy(given, &server.join(file))?;
            }
        }
        Ok(())
    }
}

/// Copies a file, for its owner alone.
pub(super) fn copy(from: &Path, to: &Path) -> Outcome {
    let bytes = fs::read(from).map_err(|error| cannot("read", from, error))?;
    files::write_private(to, &bytes)
}

/// Makes `root`, which must not be there or be empty; none if somebody else was faster.
///
/// # Errors
/// A file cannot be read or written; there is something else in `root`.
pub(crate) fn make(root: &Path, plan: Plan, tls: &TlsGiven) -> Outcome<Option<OwnNats>> {
    let root = std::path::absolute(root).map_err(|error| cannot("find", root, error))?;
    let parent = root.parent().unwrap_or(Path::new("/"));
    private_folder(parent)?;
    let stage = tempfile::Builder::new().prefix(".nats-").tempdir_in(parent);
    let stage = stage.map_err(|error| cannot("write to", parent, error))?;
    let own = fill(stage.path(), plan, tls)?;
    match fs::rename(stage.path(), &root) {
        // What was the temporary folder is not there any more.
        Ok(()) => {
            let _renamed = stage.keep();
            Ok(Some(OwnNats { root, ..own }))
        }
        Err(_) if root.join("nats.json").exists() => Ok(None),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) =>
        {
            let text = format!("{} holds something else already", root.display());
            Err(Failure::say(Exit::Refused, text).help("name a folder that is empty or not there"))
        }
        Err(error) => Err(cannot("make", &root, error)),
    }
}

fn fill(root: &Path, plan: Plan, tls: &TlsGiven) -> Outcome<OwnNats> {
    for folder in ["keys", "users", "server", "sites"] {
        private_folder(&root.join(folder))?;
    }
    let key = |name: &str| keys::new(root, name);
    let (operator, system, account) = (key("operator")?, key("system")?, key("account")?);
    let mut own = OwnNats { root: root.to_owned(), plan, operator, system, account };
    let now = clock::now();
    let token = OperatorToken {
        name: own.plan.name.clone(),
        operator: own.operator.public_key().clone(),
        system_account: own.system.public_key().clone(),
    };
    own.write_token("operator", token.sign(&own.operator, Times::from(now)))?;
    own.write_token("system", blank(&own.system, "SYS", now).sign(&own.operator))?;
    own.write_token("account", blank(&own.account, "LATTICE", now).sign(&own.operator))?;
    let name = |text: &str| EntityId::new(text).map_err(Failure::refused);
    let reach = Reach::Lattice(own.plan.lattice.clone());
    own.ensure_user(&NewUser::new(name("host")?, Principal::Host(None), reach))?;
    own.ensure_user(&NewUser::new(name("operator")?, Principal::Operator(name("operator")?), Reach::Every))?;
    own.ensure_provider_key(&own.plan.lattice)?;
    if own.plan.signed_control {
        own.plan.admin = Some(keys::new(root, keys::ADMIN)?.public_key().to_string());
    }
    tls.copy_to(&own.server())?;
    own.write_server()?;
    let plan = serde_json::to_vec_pretty(&own.plan).map_err(Failure::refused)?;
    files::write_private(&root.join("nats.json"), &plan)?;
    Ok(own)
}

/// An account without users.
fn blank(key: &KeyPair, name: &str, issued: u64) -> AccountToken {
    AccountToken {
        name: name.to_owned(),
        account: key.public_key().clone(),
        jetstream: name != "SYS",
        scoped_keys: Vec::new(),
        revoked: BTreeMap::new(),
        issued,
    }
}

/// A folder for its owner alone.
pub(super) fn private_folder(path: &Path) -> Outcome {
    if path.is_dir() {
        return Ok(());
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| cannot("make", path, error))
}

impl OwnNats {
    fn write_token(&self, name: &str, token: Result<String, lattice_claims::SignError>) -> Outcome {
        let token = token.map_err(Failure::refused)?;
        files::write_private(&self.token_file(name), token.as_bytes())
    }

    /// Writes what the first server needs, as things are now.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub(crate) fn write_server(&self) -> Outcome {
        let plan = &self.plan;
        let about = About {
            name: plan.name.clone(),
            listen: plan.listen.clone(),
            url: plan.url(),
            lattice: plan.lattice.clone(),
            admins: self.first_admins(),
            tls: plan.tls,
            tls_ca: plan.tls_ca,
        };
        let config = |config: ServerConfig<'_>| {
            ServerConfig {
                domain: plan.domain.as_deref(),
                leaf_listen: plan.leaf_listen.as_deref(),
                ..config
            }
            .text()
        };
        let users = [("host", server::HOST), ("operator", server::OPERATOR)];
        self.copy_admin_key(keys::ADMIN, &self.server())?;
        self.write_folder(&self.server(), &about, &users, config)
    }

    /// Who commands the hosts of the first server, where commands have to be signed.
    pub(crate) fn first_admins(&self) -> Vec<String> {
        self.plan.admin.iter().cloned().collect()
    }

    /// The same for a site: the admin whose key is called `name`, and the first one.
    ///
    /// # Errors
    /// The key cannot be read.
    pub(super) fn admins_of_site(&self, name: &str) -> Outcome<Vec<String>> {
        let own = keys::is_there(&self.root, name).then(|| keys::load(&self.root, name)).transpose()?;
        let own = own.map(|key| key.public_key().to_string());
        Ok(own.into_iter().chain(self.first_admins()).collect())
    }

    /// Copies an admin's key, if there is one, to who steers from a server's machine.
    pub(super) fn copy_admin_key(&self, name: &str, dir: &Path) -> Outcome {
        if !keys::is_there(&self.root, name) {
            return Ok(());
        }
        let key = keys::load(&self.root, name)?;
        files::write_private(&dir.join(server::ADMIN), format!("{}\n", key.seed().expose()).as_bytes())?;
        Ok(())
    }

    /// Writes what a server needs: its description, configuration and the credentials of these users.
    pub(super) fn write_folder(
        &self,
        dir: &Path,
        about: &About,
        users: &[(&str, &str)],
        config: impl FnOnce(ServerConfig<'_>) -> String,
    ) -> Outcome {
        for (user, file) in users {
            let creds = self.creds(user);
            match fs::read(&creds) {
                Ok(bytes) => files::write_private(&dir.join(file), &bytes)?,
                // Somebody took them away on purpose: the server needs none of them.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(cannot("read", &creds, error)),
            }
        }
        self.copy_provider_key(&about.lattice, dir)?;
        let (operator, system, account) = (self.operator_token()?, self.system_account()?, self.account()?);
        let text = config(ServerConfig {
            server_name: &about.name,
            listen: &about.listen,
            store: "store",
            accounts: "accounts",
            domain: None,
            operator: &operator,
            system_account: (&system.0, &system.1),
            account: (&account.0, &account.1),
            tls: about.tls.then_some(TlsFiles { cert: server::CERT, key: server::KEY }),
            leaf_listen: None,
            remote: None,
        });
        let head = "# Written by `wash nats init` and `wash up`, and again whenever a user is revoked. Start the server in this folder.\n";
        files::write_private(&dir.join(server::CONFIG), format!("{head}{text}").as_bytes())?;
        files::write_private(&dir.join("README.txt"), README.as_bytes())?;
        let about = serde_json::to_vec_pretty(about).map_err(Failure::refused)?;
        files::write_private(&dir.join(server::ABOUT), &about)
    }
}
