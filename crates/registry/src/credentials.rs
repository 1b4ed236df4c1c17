//! Who we are to a registry: flags first, then docker's configuration, then its credential helpers.

use std::{collections::BTreeMap, path::Path, process::Stdio, time::Duration};

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
};

use crate::{FetchConfig, FetchError, Secret, authority};

const HELPER_TIMEOUT: Duration = Duration::from_secs(10);
const HELPER_BYTES_MAX: u64 = 64 * 1024;
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// What we can tell a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    None,
    Basic {
        user: String,
        password: Secret,
    },
    /// A token that the registry's token service takes for a login.
    Identity {
        token: Secret,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DockerConfig {
    auths: BTreeMap<String, Auth>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

/// Where docker's configuration says to look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Here(Credential),
    Helper { program: String, key: String },
}

/// The credential for `registry`, as references name it.
///
/// # Errors
/// `Credentials` when the configuration or a helper is broken. One that is silent about the registry is no error.
pub(crate) async fn find(config: &FetchConfig, registry: &str) -> Result<Credential, FetchError> {
    if let Some(flags) = &config.credentials {
        let meant = flags.registry.as_deref().is_none_or(|name| authority::same_registry(name, registry));
        if meant {
            return Ok(Credential::Basic { user: flags.user.clone(), password: flags.password.clone() });
        }
    }
    let Some(path) = &config.docker_config else { return Ok(Credential::None) };
    let broken = |from: String, reason: String| FetchError::Credentials {
        registry: registry.to_owned(),
        from,
        reason,
    };
    let in_file = |reason| broken(path.display().to_string(), reason);
    let Some(text) = read(path).await.map_err(in_file)? else { return Ok(Credential::None) };
    let docker: DockerConfig = serde_json::from_slice(&text).map_err(|e| in_file(e.to_string()))?;
    match docker.find(registry).map_err(in_file)? {
        Found::Here(credential) => Ok(credential),
        Found::Helper { program, key } => {
            ask(&program, &key).await.map_err(|reason| broken(program.clone(), reason))
        }
    }
}

async fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let file = match tokio::fs::File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut text = Vec::new();
    file.take(CONFIG_BYTES_MAX).read_to_end(&mut text).await.map_err(|error| error.to_string())?;
    Ok(Some(text))
}

impl DockerConfig {
    /// A helper named for the registry, then an entry that holds something, then the helper for all.
    pub(crate) fn find(&self, registry: &str) -> Result<Found, String> {
        let helper = |name: &str, key: &str| {
            let sound = !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
            if !sound {
                return Err(format!("{name:?} is no name of a credential helper"));
            }
            Ok(Found::Helper { program: format!("docker-credential-{name}"), key: key.to_owned() })
        };
        let same = |key: &str| authority::same_registry(key, registry);
        if let Some((key, name)) = self.cred_helpers.iter().find(|(key, _)| same(key)) {
            return helper(name, key);
        }
        let entry = self.auths.iter().find(|(key, _)| same(key));
        if let Some((_, auth)) = entry {
            let credential = auth.credential()?;
            if credential != Credential::None {
                return Ok(Found::Here(credential));
            }
        }
        if !self.creds_store.is_empty() {
            return helper(&self.creds_store, entry.map_or(registry, |(key, _)| key));
        }
        Ok(Found::Here(Credential::None))
    }
}

impl Auth {
    fn credential(&self) -> Result<Credential, String> {
        if !self.identitytoken.is_empty() {
            return Ok(Credential::Identity { token: Secret::new(&self.identitytoken) });
        }
        if !self.username.is_empty() {
            return Ok(Credential::Basic {
                user: self.username.clone(),
                password: Secret::new(&self.password),
            });
        }
        if self.auth.is_empty() {
            return Ok(Credential::None);
        }
        let bytes = data_encoding::BASE64
            .decode(self.auth.as_bytes())
            .map_err(|_| "an `auth` is not base64".to_owned())?;
        let text = String::from_utf8(bytes).map_err(|_| "an `auth` is not text".to_owned())?;
        let (user, password) =
            text.split_once(':').ok_or_else(|| "an `auth` is not USER:PASSWORD".to_owned())?;
        // Docker writes zero bytes after some passwords.
        let password = Secret::new(password.trim_end_matches('\0'));
        Ok(Credential::Basic { user: user.to_owned(), password })
    }
}

/// Runs `program get`, which reads the registry's name and writes JSON.
///
/// # Cancellation
/// Dropping the future kills the helper.
async fn ask(program: &str, key: &str) -> Result<Credential, String> {
    tokio::time::timeout(HELPER_TIMEOUT, run(program, key))
        .await
        .map_err(|_| format!("it was not done after {HELPER_TIMEOUT:?}"))?
}

async fn run(program: &str, key: &str) -> Result<Credential, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(text)?;
    let mut stdin = child.stdin.take().expect("it was asked for above");
    // A helper that needs no input may have gone already; what it says counts.
    let _ = stdin.write_all(key.as_bytes()).await;
    drop(stdin);
    let stdout = child.stdout.take().expect("it was asked for above");
    let mut said = Vec::new();
    stdout.take(HELPER_BYTES_MAX).read_to_end(&mut said).await.map_err(text)?;
    let status = child.wait().await.map_err(text)?;
    if !status.success() {
        let said = String::from_utf8_lossy(&said);
        // This is how helpers say that they know nothing.
        if said.contains("credentials not found") {
            return Ok(Credential::None);
        }
        let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
        return Err(format!("it failed ({status}): {}", said.trim()));
    }
    answered(&said)
}

/// What a helper knows.
pub(crate) fn answered(said: &[u8]) -> Result<Credential, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    let answer: Answer =
        serde_json::from_slice(said).map_err(|_| "its answer is not the JSON it should be".to_owned())?;
    let secret = Secret::new(answer.secret);
    // Docker's sign for a token in place of a password.
    if answer.username == "<token>" {
        return Ok(Credential::Identity { token: secret });
    }
    Ok(Credential::Basic { user: answer.username, password: secret })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> Credential {
        Credential::Basic { user: user.to_owned(), password: Secret::new(password) }
    }

    fn found(config: &str, registry: &str) -> Result<Found, String> {
        serde_json::from_str::<DockerConfig>(config).unwrap().find(registry)
    }

    #[test]
    fn what_dockers_configuration_says() {
        // bWU6c2VjcmV0 is me:secret.
        let here = |credential| Ok(Found::Here(credential));
        let helper =
            |program: &str, key: &str| Ok(Found::Helper { program: program.to_owned(), key: key.to_owned() });
        let token = Credential::Identity { token: Secret::new("t") };
        for (config, registry, want) in [
            ("{}", "ghcr.io", here(Credential::None)),
            (r#"{"auths":{"ghcr.io":{"auth":"bWU6c2VjcmV0"}}}"#, "ghcr.io", here(basic("me", "secret"))),
            (r#"{"auths":{"ghcr.io":{"auth":"bWU6c2VjcmV0"}}}"#, "quay.io", here(Credential::None)),
            (
                r#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6c2VjcmV0"}}}"#,
                "docker.io",
                here(basic("me", "secret")),
            ),
            (r#"{"auths":{"a:5000":{"identitytoken":"t","auth":"bWU6"}}}"#, "a:5000", here(token)),
            (r#"{"credsStore":"pass"}"#, "ghcr.io", helper("docker-credential-pass", "ghcr.io")),
            (
                r#"{"auths":{"https://ghcr.io":{}},"credsStore":"pass"}"#,
                "ghcr.io",
                helper("docker-credential-pass", "https://ghcr.io"),
            ),
            (
                r#"{"auths":{"ghcr.io":{"auth":"bWU6c2VjcmV0"}},"credHelpers":{"ghcr.io":"gcloud"}}"#,
                "ghcr.io",
                helper("docker-credential-gcloud", "ghcr.io"),
            ),
        ] {
            assert_eq!(found(config, registry), want, "{config}");
        }
        for config in [
            r#"{"auths":{"a":{"auth":"%"}}}"#,
            r#"{"auths":{"a":{"auth":"bWU="}}}"#,
            r#"{"credsStore":"../../bin/sh"}"#,
        ] {
            assert!(found(config, "a").is_err(), "{config}");
        }
    }

    #[tokio::test]
    async fn flags_win_and_only_for_their_registry() {
        let flags = crate::Credentials {
            registry: Some("a:5000".to_owned()),
            user: "u".to_owned(),
            password: Secret::new("p"),
        };
        let config = FetchConfig { credentials: Some(flags), docker_config: None, ..FetchConfig::default() };
        assert_eq!(find(&config, "a:5000").await.unwrap(), basic("u", "p"));
        assert_eq!(find(&config, "b:5000").await.unwrap(), Credential::None);
    }

    #[tokio::test]
    async fn a_helper_is_run_and_read() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let helper = |name: &str, script: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let echo = helper("echo", r#"read r; echo "{\"Username\":\"$1\",\"Secret\":\"$r\"}""#);
        assert_eq!(ask(&echo, "ghcr.io").await.unwrap(), basic("get", "ghcr.io"));
        let token = helper("token", r#"echo '{"Username":"<token>","Secret":"t"}'"#);
        assert!(matches!(ask(&token, "x").await.unwrap(), Credential::Identity { .. }));
        let none = helper("none", "echo credentials not found in native keychain; exit 1");
        assert_eq!(ask(&none, "x").await.unwrap(), Credential::None);
        let broken = helper("broken", "echo locked; exit 1");
        assert!(ask(&broken, "x").await.unwrap_err().contains("locked"));
        let endless = helper("endless", "yes");
        assert!(ask(&endless, "x").await.is_err());
        assert!(ask("/nonexistent/helper", "x").await.is_err());
    }
}
