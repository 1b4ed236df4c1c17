//! With which credentials: those of a NATS of one's own, which `wash up` makes where there is none.

use std::path::{Path, PathBuf};

use lattice_core::{
    EntityId, LatticeName,
    permission::{Principal, Reach},
};

use super::Args;
use crate::{
    context::{Context, Contexts},
    failure::{Failure, Outcome},
    local::Place,
    output::Output,
    own_nats::{NewUser, OwnNats, Plan, ServerFolder, TlsGiven, make},
};

/// The host's usual port, which names of contexts leave out.
const USUAL_PORT: u16 = 4222;

/// How the host and those who steer it get in. Nothing at all where the server asks nobody, or where flags say it.
#[derive(Debug, Clone, Default)]
pub(super) struct Access {
    /// The host's credentials.
    pub(super) host: Option<PathBuf>,
    /// Those of whoever steers.
    pub(super) operator: Option<PathBuf>,
    /// Whose signed commands the host takes, and no others; empty where it takes whatever comes.
    pub(super) admins: Vec<String>,
    /// The key that signs what is commanded.
    pub(super) signing_key: Option<PathBuf>,
    /// The certificate to trust.
    pub(super) ca: Option<PathBuf>,
    /// Where keys and credentials lie, of which provider processes shall see nothing.
    pub(super) secret: Option<PathBuf>,
    /// The folder whose servers have to hear of a new key, if they run already.
    pub(super) news: Option<PathBuf>,
}

impl Access {
    /// Those of the server's folder, or of this lattice where the folder can sign them.
    pub(super) fn of_folder(folder: &ServerFolder, lattice: &LatticeName) -> Outcome<Access> {
        let (ca, admins, signing_key) = (folder.ca(), folder.about.admins.clone(), folder.admin_key());
        let parent = folder.dir().parent().unwrap_or(folder.dir());
        // A copied folder has no keys beside it, and knows its own lattice alone.
        let own = if folder.dir().ends_with("server") { OwnNats::open(parent)? } else { None };
        match own {
            Some(own) => Ok(Access { ca, admins, signing_key, ..Access::of_own(&own, lattice)? }),
            None if folder.about.lattice != *lattice => {
                let text = format!(
                    "{} has credentials for lattice {} and not for {lattice}",
                    folder.dir().display(),
                    folder.about.lattice
                );
                Err(Failure::say(crate::exit::Exit::Refused, text)
                    .help(format!("leave --lattice out, or give --lattice {}", folder.about.lattice)))
            }
            None => {
                let there = |file: PathBuf| Some(file).filter(|file| file.exists());
                let (host, operator) = (there(folder.host_creds()), there(folder.operator_creds()));
                let secret = Some(folder.dir().to_owned());
                Ok(Access { host, operator, admins, signing_key, ca, secret, news: None })
            }
        }
    }

    /// Those of a NATS of one's own, made where they are missing.
    pub(super) fn of_own(own: &OwnNats, lattice: &LatticeName) -> Outcome<Access> {
        let name = |text: &str| EntityId::new(text).map_err(Failure::refused);
        let host = match *lattice == own.plan.lattice {
            true => "host".to_owned(),
            false => format!("host-{lattice}"),
        };
        let reach = Reach::Lattice(lattice.clone());
        let host = own.ensure_user(&NewUser::new(name(&host)?, Principal::Host(None), reach))?;
        let operator = Principal::Operator(name("operator")?);
        let operator = own.ensure_user(&NewUser::new(name("operator")?, operator, Reach::Every))?;
        let news = match own.ensure_provider_key(lattice)? {
            true => {
                own.rewrite_servers()?;
                Some(own.root().to_owned())
            }
            false => None,
        };
        let secret = Some(own.root().to_owned());
        Ok(Access { host: Some(host), operator: Some(operator), secret, news, ..Access::default() })
    }
}

/// The folder of the NATS of one's own on `port`.
pub(super) fn own_folder(place: &Place, port: u16) -> PathBuf {
    place.nats(port).join("closed")
}

/// The NATS of one's own on `port`, made if there is none.
pub(super) fn own(place: &Place, port: u16) -> Outcome<OwnNats> {
    let root = own_folder(place, port);
    if let Some(own) = OwnNats::open(&root)? {
        return Ok(own);
    }
    let plan = Plan {
        name: format!("wash-up-{port}"),
        domain: None,
        listen: format!("127.0.0.1:{port}"),
        leaf_listen: None,
        address: None,
        lattice: LatticeName::default(),
        signed_control: false,
        admin: None,
        tls: false,
        tls_ca: false,
    };
    match make(&root, plan, &TlsGiven::default())? {
        Some(own) => Ok(own),
        // Two at once are no error.
        None => OwnNats::require(&root),
    }
}

/// Saves how to get in as the current context, so that the next command needs nothing. One that cannot be saved is no reason to
/// stop: it is said, with what to type instead. The context's name, if there is one.
pub(super) fn save_context(out: &Output, args: &Args, url: &str, access: &Access) -> Option<String> {
    let context = Context {
        name: context_name(args),
        lattice: Some(args.lattice()),
        nats_url: Some(url.to_owned()),
        ctl_credsfile: access.operator.clone(),
        ctl_signing_key: access.signing_key.clone(),
        ctl_tls_ca_file: access.ca.clone(),
        js_domain: args.nats.js_domain.clone(),
        ..Context::default()
    };
    let saved = Contexts::required().and_then(|contexts| {
        let before = contexts.current().ok().flatten();
        contexts.save(&context)?;
        contexts.choose(&context.name)?;
        Ok(before.filter(|before| before.name != context.name))
    });
    match saved {
        Ok(before) => {
            if let Some(before) = before {
                let (now, before) = (&context.name, before.name);
                out.note(format!("context {now} is the current one now; back with `wash ctx use {before}`"));
            }
            Some(context.name)
        }
        Err(failure) => {
            out.failure(&failure);
            if let Some(file) = &access.operator {
                out.note(format!("other commands need --nats-url {url} --ctl-credsfile {}", file.display()));
            }
            None
        }
    }
}

/// `local`, and what differs from the usual.
fn context_name(args: &Args) -> String {
    let mut name = match args.nats.nats_dir.as_deref().map(dir_name) {
        Some(dir) => dir,
        None if args.nats.nats_port == USUAL_PORT => "local".to_owned(),
        None => format!("local-{}", args.nats.nats_port),
    };
    if args.lattice() != LatticeName::default() && args.lattice().as_str() != name {
        name += &format!("-{}", args.lattice());
    }
    name
}

/// The folder's name as far as a context can have it.
fn dir_name(dir: &Path) -> String {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let dir = if dir.ends_with("server") { dir.parent().unwrap_or(&dir) } else { &dir };
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    if name.is_empty() || name == "index" { "own".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_of_folders() {
        for (dir, name) in
            [("/home/me/hub", "hub"), ("/home/me/hub/server", "hub"), ("/", "own"), ("/x/.a b", "a-b")]
        {
            assert_eq!(dir_name(Path::new(dir)), name, "{dir}");
        }
    }
}
