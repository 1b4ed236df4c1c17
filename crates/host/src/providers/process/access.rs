//! How provider processes log in to NATS: with tokens of their own where this host can sign them.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use lattice_claims::{
    SignError,
    nats::{CredsFile, PROVIDER_TOKEN_SECONDS, ProviderSigner},
};
use lattice_core::{LatticeName, ProviderId};
use lattice_nats::{ConnectOptions, Credentials, Secret};

/// The most that is read of a file with a key.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Why there is no access for providers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    #[error("{} cannot be used as the signing key for providers: {why}", file.display())]
    Key { file: PathBuf, why: String },
    #[error(
        "{} signs providers of lattice {theirs}, and this host is in {ours}; give the one of {ours} with --provider-signing-key",
        file.display()
    )]
    Lattice { file: PathBuf, theirs: LatticeName, ours: LatticeName },
    #[error("this host's own credentials cannot be read: {0}")]
    Own(String),
    #[error("a token cannot be signed: {0}")]
    Sign(#[from] SignError),
}

/// How processes log in.
#[derive(Debug)]
enum How {
    /// With tokens that this host signs, each as itself alone.
    Signed(Box<ProviderSigner>),
    /// With this host's own credentials, since it can sign none.
    Shared(Credentials),
    /// With what stands in the server's URL.
    InUrl,
    /// As nobody.
    Nobody,
}

/// Where provider processes find NATS, and how they log in.
#[derive(Debug)]
pub(crate) struct Access {
    how: How,
    /// Servers with user names and passwords, where those are shared; without, where not.
    servers: String,
    ca_file: Option<PathBuf>,
    lasts: Duration,
}

/// What one process logs in with.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) jwt: String,
    pub(super) seed: Secret,
    /// Whether it is a token of its own, which has to be renewed.
    pub(super) own: bool,
}

impl Access {
    /// As the host's own options have it, and with the signing key of `file`, or else the one beside its own credentials.
    pub(crate) fn new(
        options: &ConnectOptions,
        lattice: &LatticeName,
        file: Option<&Path>,
        lasts: Duration,
    ) -> Result<Self, AccessError> {
        let signer = match (file, &options.credentials) {
            (Some(file), _) => Some(signer(file, lattice)?),
            (None, Credentials::CredsFile(own)) => {
                let beside = own.with_file_name(ProviderSigner::file_name(lattice));
                if beside.is_file() { Some(signer(&beside, lattice)?) } else { None }
            }
            (None, _) => None,
        };
        let in_url = options.servers.iter().any(|server| server.contains('@'));
        let how = match (signer, &options.credentials) {
            (Some(signer), _) => How::Signed(Box::new(signer)),
            (None, Credentials::None) if in_url => How::InUrl,
            (None, Credentials::None) => How::Nobody,
            (None, own) => How::Shared(own.clone()),
        };
        let servers = match how {
            How::InUrl => options.servers.join(","),
            _ => options.shown().replace(", ", ","),
        };
        let lasts = lasts.min(Duration::from_secs(PROVIDER_TOKEN_SECONDS));
        Ok(Self { how, servers, ca_file: options.tls.ca_file.clone(), lasts })
    }

    /// The servers, as a process is told.
    pub(super) fn servers(&self) -> &str {
        &self.servers
    }

    pub(super) fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// How long a token of a process counts.
    pub(super) fn lasts(&self) -> Duration {
        self.lasts
    }

    /// What a new process of `id` logs in with; none where the server asks nobody, or is told in the URL.
    pub(super) fn login(
        &self,
        id: &ProviderId,
        now: u64,
        is_open: bool,
    ) -> Result<Option<Login>, AccessError> {
        if is_open {
            return Ok(None);
        }
        match &self.how {
            How::Signed(signer) => {
                let CredsFile { token, key } = signer.credentials(id, now, self.lasts.as_secs())?;
                Ok(Some(Login { jwt: token, seed: Secret::new(key.seed().expose()), own: true }))
            }
            How::Shared(Credentials::JwtSeed { jwt, seed }) => {
                Ok(Some(Login { jwt: jwt.clone(), seed: seed.clone(), own: false }))
            }
            How::Shared(Credentials::CredsFile(file)) => {
                let text = read(file).map_err(|error| AccessError::Own(error.to_string()))?;
                let own = CredsFile::read(&text).map_err(|error| AccessError::Own(error.to_string()))?;
                let seed = Secret::new(own.key.seed().expose());
                Ok(Some(Login { jwt: own.token, seed, own: false }))
            }
            // Flags give no others.
            How::Shared(_) | How::InUrl | How::Nobody => Ok(None),
        }
    }

    /// What is not protected, for the host's status: none where every process has its own credentials, or nobody has any.
    pub(crate) fn notice(&self, lattice: &LatticeName, is_open: bool) -> Option<String> {
        let shares = matches!(self.how, How::Shared(_) | How::InUrl);
        (shares && !is_open).then(|| {
            format!(
                "provider processes have this host's own NATS credentials, since it has no signing key for providers of lattice \
                 {lattice}: whoever breaks into one may do what this host may, also after it was stopped; `wash nats init` and \
                 `wash up` make a key, --provider-signing-key gives it"
            )
        })
    }
}

fn read(file: &Path) -> io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(file)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn signer(file: &Path, lattice: &LatticeName) -> Result<ProviderSigner, AccessError> {
    let unusable = |why: String| AccessError::Key { file: file.to_owned(), why };
    let text = read(file).map_err(|error| unusable(error.to_string()))?;
    let signer = ProviderSigner::read(&text).map_err(|error| unusable(error.to_string()))?;
    if signer.lattice != *lattice {
        let (file, theirs, ours) = (file.to_owned(), signer.lattice, lattice.clone());
        return Err(AccessError::Lattice { file, theirs, ours });
    }
    Ok(signer)
}

#[cfg(test)]
mod tests {
    use lattice_claims::{KeyKind, KeyPair};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn signing(lattice: &LatticeName) -> ProviderSigner {
        let key = || KeyPair::generate(KeyKind::Account);
        ProviderSigner { account: key().public_key().clone(), lattice: lattice.clone(), key: key() }
    }

    #[test]
    fn the_key_beside_the_credentials_signs_and_without_one_it_is_said() {
        let (dir, lattice) = (tempfile::tempdir().unwrap(), LatticeName::default());
        let id = ProviderId::new("kv").unwrap();
        let own = CredsFile { token: "a.b.c".to_owned(), key: KeyPair::generate(KeyKind::User) };
        let creds = dir.path().join("host.creds");
        std::fs::write(&creds, own.to_string()).unwrap();
        let mut options = ConnectOptions::to("nats://one:4222,nats://two:4222");
        options.credentials = Credentials::CredsFile(creds);
        let shared = Access::new(&options, &lattice, None, HOUR).unwrap();
        let login = shared.login(&id, 0, false).unwrap().unwrap();
        assert_eq!((login.jwt.as_str(), login.own), ("a.b.c", false));
        let notice = shared.notice(&lattice, false).unwrap();
        assert!(notice.contains("own NATS credentials") && notice.contains("--provider-signing-key"));
        assert_eq!(shared.notice(&lattice, true), None, "an open lattice has its own line");

        let beside = dir.path().join("providers-default.key");
        std::fs::write(&beside, signing(&lattice).to_string()).unwrap();
        let signed = Access::new(&options, &lattice, None, HOUR * 9).unwrap();
        assert_eq!((signed.notice(&lattice, false), signed.lasts()), (None, HOUR));
        let login = signed.login(&id, 0, false).unwrap().unwrap();
        assert!(login.own && login.jwt != "a.b.c");
        assert!(signed.login(&id, 0, true).unwrap().is_none(), "who asks nobody needs none");
        assert_eq!(signed.servers(), "nats://one:4222,nats://two:4222");
    }

    #[test]
    fn a_key_of_another_lattice_or_none_is_refused_by_name() {
        let (dir, lattice) = (tempfile::tempdir().unwrap(), LatticeName::default());
        let file = dir.path().join("some.key");
        std::fs::write(&file, signing(&LatticeName::new("shop").unwrap()).to_string()).unwrap();
        let of = |file: &Path| Access::new(&ConnectOptions::default(), &lattice, Some(file), HOUR);
        let error = of(&file).unwrap_err().to_string();
        assert!(error.contains("lattice shop") && error.contains("default"), "{error}");
        std::fs::write(&file, "nothing").unwrap();
        assert!(of(&file).unwrap_err().to_string().contains("wash nats init"));
        assert!(of(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_password_in_the_url_is_handed_on_only_where_it_has_to_be() {
        let (dir, lattice) = (tempfile::tempdir().unwrap(), LatticeName::default());
        let options = ConnectOptions::to("nats://anna:s3cret@one:4222");
        let shared = Access::new(&options, &lattice, None, HOUR).unwrap();
        assert!(shared.servers().contains("s3cret") && shared.notice(&lattice, false).is_some());
        let file = dir.path().join("some.key");
        std::fs::write(&file, signing(&lattice).to_string()).unwrap();
        let signed = Access::new(&options, &lattice, Some(&file), HOUR).unwrap();
        assert!(!signed.servers().contains("s3cret"), "{}", signed.servers());
        let nobody = Access::new(&ConnectOptions::to("one"), &lattice, None, HOUR).unwrap();
        assert_eq!(nobody.notice(&lattice, false), None);
    }
}
