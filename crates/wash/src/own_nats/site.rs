//! A further site: a server with its own store and lattice, joined to the first one by a leaf connection.

use std::{fs, io, path::PathBuf};

use lattice_core::{
    EntityId, LatticeName,
    permission::{Principal, Reach},
};

use super::{
    NewUser, OwnNats, Remote, ServerFolder, TlsGiven,
    config::ServerConfig,
    folder::{cannot, scheme, url_of},
    keys,
    make::{copy, private_folder},
    server::{self, About},
};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
};

/// A site to be made.
#[derive(Debug, Clone)]
pub(crate) struct SiteWanted {
    /// Its name, and the JetStream domain of its server.
    pub(crate) name: EntityId,
    /// Its lattice.
    pub(crate) lattice: LatticeName,
    /// Where its server listens, `HOST:PORT`.
    pub(crate) listen: String,
    /// By which name or address others reach it; where it listens if none.
    pub(crate) address: Option<String>,
    /// Its certificate. Without an authority of its own, clients trust that of the first server.
    pub(crate) tls: TlsGiven,
}

/// Makes a site's users and its folder.
///
/// # Errors
/// There is a site of that name, or a file cannot be written.
pub(crate) fn make_site(own: &OwnNats, wanted: &SiteWanted) -> Outcome<ServerFolder> {
    let name = wanted.name.as_str();
    let dir = own.sites().join(name);
    if dir.join(server::ABOUT).exists() {
        let text = format!("there is a site {name} already: {}", dir.display());
        return Err(Failure::say(Exit::Refused, text).help("choose another name for the further one"));
    }
    if name == own.plan.name {
        let text = format!("the first server is called {name} already, and no two sites may share a name");
        return Err(Failure::say(Exit::Refused, text).help("choose another name for the further one"));
    }
    let reach = Reach::Lattice(wanted.lattice.clone());
    let user = |role: &str| EntityId::new(format!("{name}-{role}")).map_err(Failure::refused);
    for (name, principal) in [
        (user("leaf")?, Principal::Site(wanted.name.clone())),
        (user("host")?, Principal::Host(None)),
        (user("operator")?, Principal::Operator(user("operator")?)),
    ] {
        own.ensure_user(&NewUser::new(name, principal, reach.clone()))?;
    }
    own.ensure_provider_key(&wanted.lattice)?;
    private_folder(&dir)?;
    // Its own, so that it is steered while the way to the first server is cut; one that was made before stays.
    let admin = keys::admin_of(name);
    if own.plan.signed_control && !keys::is_there(&own.root, &admin) {
        keys::new(&own.root, &admin)?;
    }
    let tls = wanted.tls.cert.is_some();
    wanted.tls.copy_to(&dir)?;
    let ca_of_first = tls && wanted.tls.ca.is_none() && own.plan.tls_ca;
    if ca_of_first {
        copy(&own.server().join(server::CA), &dir.join(server::CA))?;
    }
    let about = About {
        name: name.to_owned(),
        listen: wanted.listen.clone(),
        url: url_of(&wanted.listen, wanted.address.as_deref(), scheme(tls)),
        lattice: wanted.lattice.clone(),
        admins: own.admins_of_site(&admin)?,
        tls,
        tls_ca: wanted.tls.ca.is_some() || ca_of_first,
    };
    // Its description comes last, and is what makes it a site: begun and not finished, it is begun again.
    own.write_site(&about)?;
    ServerFolder::find(&dir)
}

/// Whether two URLs lead to the same port, however they are written.
fn is_same_place(a: &str, b: &str) -> bool {
    let place = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        rest.trim_end_matches('/').to_ascii_lowercase()
    };
    place(a) == place(b)
}

impl OwnNats {
    /// The folders of all sites, by name.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub(crate) fn site_folders(&self) -> Outcome<Vec<ServerFolder>> {
        let dir = self.sites();
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot("read", &dir, error)),
        };
        let mut folders = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| cannot("read", &dir, error))?.path();
            if path.join(server::ABOUT).exists() {
                folders.push(ServerFolder::find(&path)?);
            }
        }
        folders.sort_by(|one, other| one.about.name.cmp(&other.about.name));
        Ok(folders)
    }

    /// The authority to trust at a server of this NATS, if it is a private one.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub(crate) fn ca_at(&self, url: &str) -> Outcome<Option<PathBuf>> {
        let site = self
            .site_folders()?
            .into_iter()
            .find(|site| site.about.tls_ca && is_same_place(&site.about.url, url));
        let of_first = || self.plan.tls_ca.then(|| self.server().join(server::CA));
        Ok(site.and_then(|site| site.ca()).or_else(of_first))
    }

    /// Writes what a site's server needs, as things are now.
    pub(super) fn write_site(&self, about: &About) -> Outcome {
        let Some(url) = self.plan.leaf_url() else {
            let text = format!("the server of {} takes no leaf connections", self.root.display());
            return Err(Failure::say(Exit::Refused, text).help("make another folder with `wash nats init`"));
        };
        let dir = self.sites().join(&about.name);
        let ca = self.plan.tls_ca.then_some(server::LEAF_CA);
        if let Some(file) = ca {
            copy(&self.server().join(server::CA), &dir.join(file))?;
        }
        let config = |config: ServerConfig<'_>| {
            let remote = Some(Remote { url: &url, creds: server::LEAF, ca });
            ServerConfig { domain: Some(&about.name), remote, ..config }.text()
        };
        let user = |role: &str| format!("{}-{role}", about.name);
        let (leaf, host, operator) = (user("leaf"), user("host"), user("operator"));
        let users: [(&str, &str); 3] =
            [(&leaf, server::LEAF), (&host, server::HOST), (&operator, server::OPERATOR)];
        self.copy_admin_key(&keys::admin_of(&about.name), &dir)?;
        self.write_folder(&dir, about, &users, config)
    }
}
