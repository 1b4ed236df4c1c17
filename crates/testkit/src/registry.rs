//! An OCI registry of the test's own, on loopback, over plain HTTP.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::{Launch, Process, TestkitError, Tools};

const READY_WITHIN: Duration = Duration::from_secs(20);

/// Who may use a [`Registry`] that asks for a login.
#[derive(Debug, Clone, Copy)]
pub struct Login {
    /// The user's name.
    pub user: &'static str,
    /// The user's password.
    pub password: &'static str,
    /// The line of an htpasswd file for both; the registry takes bcrypt only.
    htpasswd: &'static str,
}

impl Login {
    /// The one user there is.
    pub const PUSHER: Self = Self {
        user: "pusher",
        password: "let-me-push",
        htpasswd: "pusher:$2b$04$abcdefghijklmnopqrstuuQy3N/9DWcz/0jNMpztVYeEXeYs8M2o6\n",
    };
}

/// A running docker-registry with an empty store, which goes with it.
pub struct Registry {
    /// The process, to be paused or killed.
    pub process: Process,
    port: u16,
    dir: TempDir,
}

impl Registry {
    /// A registry that everybody may pull from and push to.
    ///
    /// # Errors
    /// `Missing` when there is no docker-registry and none could be fetched; `Exited` and `Deadline` with its last output.
    ///
    /// # Cancellation
    /// Dropping the future stops the registry.
    pub async fn start() -> Result<Self, TestkitError> {
        Self::launch(None).await
    }

    /// A registry that serves nothing without `login`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with_login(login: Login) -> Result<Self, TestkitError> {
        Self::launch(Some(login)).await
    }

    /// `127.0.0.1:PORT`, as an image reference begins.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The folder it stores blobs in, for tests that falsify them.
    #[must_use]
    pub fn store(&self) -> &Path {
        self.dir.path()
    }

    async fn launch(login: Option<Login>) -> Result<Self, TestkitError> {
        let mut say = |line: &str| eprintln!("{line}");
        let program = Tools::of_workspace().docker_registry(&mut say)?;
        let dir = TempDir::new().map_err(TestkitError::io("make a folder in", std::env::temp_dir()))?;
        let write = |name: &str, text: &str| {
            let file = dir.path().join(name);
            std::fs::write(&file, text).map_err(TestkitError::io("write", &file)).map(|()| file)
        };
        let auth = match login {
            Some(login) => {
                let users = write("htpasswd", login.htpasswd)?;
                format!("auth:\n  htpasswd:\n    realm: tests\n    path: {users:?}\n")
            }
            None => String::new(),
        };
        let store = dir.path().join("blobs");
        let config = format!(
            "version: 0.1\nlog:\n  level: info\nstorage:\n  delete:\n    enabled: true\n  filesystem:\n    \
             rootdirectory: {store:?}\nhttp:\n  addr: \"127.0.0.1:0\"\n{auth}"
        );
        let mut process =
            Process::spawn(Launch::program(program).arg("serve").arg(write("config.yml", &config)?))?;
        let line = process.wait_for_line("listening on 127.0.0.1:", READY_WITHIN).await?;
        let port = line.split("listening on 127.0.0.1:").nth(1).map(leading_number);
        match port.and_then(|digits| digits.parse().ok()) {
            Some(port) => Ok(Self { process, port, dir }),
            None => Err(TestkitError::Missing {
                part: "the registry's port".to_owned(),
                reason: format!("it printed {line:?}"),
                remedy: "Is this Debian's docker-registry?".to_owned(),
            }),
        }
    }
}

fn leading_number(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Http;

    #[tokio::test]
    async fn an_open_registry_answers() {
        let registry = Registry::start().await.unwrap();
        let answer = Http::new().get(&format!("http://{}/v2/", registry.address())).await.unwrap();
        assert_eq!(answer.status, 200);
    }

    #[tokio::test]
    async fn a_closed_registry_wants_the_login() {
        let registry = Registry::start_with_login(Login::PUSHER).await.unwrap();
        let url = format!("http://{}/v2/", registry.address());
        assert_eq!(Http::new().get(&url).await.unwrap().status, 401);
        // pusher:let-me-push
        let headers = [("authorization", "Basic cHVzaGVyOmxldC1tZS1wdXNo")];
        assert_eq!(Http::new().send("GET", &url, &headers, "").await.unwrap().status, 200);
    }
}
