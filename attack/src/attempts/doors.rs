//! Getting in at all: on the port of the NATS server, with no, forged, expired or revoked credentials, or as a host.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_claims::{
    KeyKind, KeyPair,
    nats::{UserGrant, UserToken},
};
use lattice_core::permission::Permissions;
use lattice_nats::{ConnectError, ConnectOptions, Credentials, Secret};
use lattice_testkit::{Host, Launch, Process};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::broker::NATS_LOG;
use crate::{
    attempt::{By, Outcome},
    scene::{SOON, Scene, WITHIN, connect_bare, now},
};

/// How long hosts may take to answer somebody who was let in.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// How often the server has refused somebody.
pub(crate) fn refusals(scene: &Scene) -> usize {
    scene.nats_text().matches("authentication error").count()
}

/// The server's own line about a refusal, once it has refused one more than `before`.
pub(crate) async fn refused_since(scene: &Scene, before: usize) -> anyhow::Result<Outcome> {
    let more = async || (refusals(scene) > before).then_some(());
    lattice_testkit::until("the server says that it refused somebody", SOON, more).await?;
    Ok(Outcome::refused(By::Broker, NATS_LOG, scene.nats_log(&["authentication error"]).await?))
}

/// What came of an attempt to connect with these credentials.
pub(crate) async fn connect(scene: &Scene, credentials: Credentials) -> anyhow::Result<Outcome> {
    let (options, before) = (ConnectOptions::to(&scene.ports.url()).named("stranger"), refusals(scene));
    match connect_bare(ConnectOptions { credentials, ..options }).await {
        Ok(connection) => {
            let subject = "wasmbus.ctl.v1.default.host.ping";
            match connection.request(subject, bytes::Bytes::new(), ANSWER_WITHIN).await {
                Ok(_) => Ok(Outcome::succeeded("it is let in, and the hosts answer it")),
                // A server that has to look for the account first pings meanwhile, which a client takes for a welcome.
                Err(_) => refused_since(scene, before).await,
            }
        }
        Err(ConnectError::Refused { .. }) => refused_since(scene, before).await,
        Err(error) => Err(error.into()),
    }
}

/// A token that allows everything.
fn everything(name: &str, key: &KeyPair) -> UserToken {
    let all = || vec![">".to_owned()];
    UserToken {
        name: name.to_owned(),
        user: key.public_key().clone(),
        account: None,
        grant: UserGrant::Own { role: None, permissions: Permissions { publish: all(), subscribe: all() } },
        issued: now() - 100,
        expires: None,
    }
}

fn with(jwt: String, key: &KeyPair) -> Credentials {
    Credentials::JwtSeed { jwt, seed: Secret::new(key.seed().expose()) }
}

/// In a closed lattice the same token is let in as long as nothing is wrong with it.
async fn is_let_in(scene: &Scene, token: &UserToken, key: &KeyPair) -> anyhow::Result<()> {
    let Some(account) = &scene.people.account else { return Ok(()) };
    let good = connect(scene, with(token.sign(account)?, key)).await?;
    ensure!(matches!(good, Outcome::Succeeded { .. }), "a good token is not let in: {good:?}");
    Ok(())
}

/// Without credentials.
pub(crate) fn nothing(scene: &mut Scene) -> Attempted<'_> {
    async move { connect(scene, Credentials::None).await }.boxed_local()
}

/// With a name and a password, as 2021 had them.
pub(crate) fn password(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let password = Secret::new("admin");
        connect(scene, Credentials::UserPassword { user: "admin".to_owned(), password }).await
    }
    .boxed_local()
}

/// `pub $topic $payload` to the local port, from a shell, as the founders feared it.
pub(crate) fn raw(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let before = refusals(scene);
        let mut stream = TcpStream::connect(("127.0.0.1", scene.ports.nats)).await?;
        let body = r#"{"a":"b"}"#;
        let say = format!(
            "CONNECT {{}}\r\nPUB wasmbus.ctl.v1.default.config.put.loot {}\r\n{body}\r\nPING\r\n",
            body.len()
        );
        stream.write_all(say.as_bytes()).await?;
        let mut said = Vec::new();
        let reading = async {
            while !["PONG", "-ERR"].iter().any(|word| String::from_utf8_lossy(&said).contains(word)) {
                if stream.read_buf(&mut said).await? == 0 {
                    break;
                }
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(SOON, reading).await.context("the server says nothing")??;
        let said = String::from_utf8_lossy(&said).into_owned();
        let name = "loot".parse()?;
        if said.contains("Authorization Violation") {
            ensure!(scene.client.get_config(&name).await?.is_none(), "it was carried out all the same");
            return refused_since(scene, before).await;
        }
        let there = async || scene.client.get_config(&name).await.ok()?.map(drop);
        lattice_testkit::until("the configuration is there", SOON, there).await?;
        scene.client.delete_config(&name).await?;
        Ok(Outcome::succeeded("a line of text on the port changes a configuration"))
    }
    .boxed_local()
}

/// With a token that somebody signed himself.
pub(crate) fn own_token(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let (account, key) = (KeyPair::generate(KeyKind::Account), KeyPair::generate(KeyKind::User));
        let token = everything("stranger", &key);
        is_let_in(scene, &token, &key).await?;
        connect(scene, with(token.sign(&account)?, &key)).await
    }
    .boxed_local()
}

/// With the provider's own token, in which everything is allowed now, under the old signature.
pub(crate) fn rewritten_token(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let (account, key) = (KeyPair::generate(KeyKind::Account), KeyPair::generate(KeyKind::User));
        let signer = scene.people.account.as_ref().unwrap_or(&account);
        let mut own = everything("mole", &key);
        own.grant = UserGrant::Own {
            role: None,
            permissions: Permissions { publish: vec!["x".to_owned()], subscribe: vec!["y".to_owned()] },
        };
        let (good, wide) = (own.sign(signer)?, everything("mole", &key).sign(signer)?);
        let (Some((_, signature)), Some((claims, _))) = (good.rsplit_once('.'), wide.rsplit_once('.')) else {
            bail!("a token has three parts");
        };
        is_let_in(scene, &everything("mole", &key), &key).await?;
        connect(scene, with(format!("{claims}.{signature}"), &key)).await
    }
    .boxed_local()
}

/// With a token of the right account whose time is over.
pub(crate) fn expired_token(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let (account, key) = (KeyPair::generate(KeyKind::Account), KeyPair::generate(KeyKind::User));
        let signer = scene.people.account.as_ref().unwrap_or(&account);
        is_let_in(scene, &everything("late", &key), &key).await?;
        let token = UserToken { expires: Some(now() - 1), ..everything("late", &key) };
        connect(scene, with(token.sign(signer)?, &key)).await
    }
    .boxed_local()
}

/// With the token of a user that was revoked a moment ago.
pub(crate) fn revoked_user(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let own = scene.data().join(format!("nats/{}/closed", scene.ports.nats));
        let dir = own.display().to_string();
        let file = own.join("users/gone.creds");
        if scene.open {
            return connect(scene, Credentials::None).await;
        }
        let (code, said) = scene.wash(&["nats", "user", "add", &dir, "gone", "--role", "operator"]).await?;
        ensure!(code == 0, "{said}");
        let before = connect(scene, Credentials::CredsFile(file.clone())).await?;
        ensure!(matches!(before, Outcome::Succeeded { .. }), "before it was revoked: {before:?}");
        let (code, said) = scene.wash(&["nats", "user", "revoke", &dir, "gone"]).await?;
        ensure!(code == 0, "{said}");
        connect(scene, Credentials::CredsFile(file)).await
    }
    .boxed_local()
}

/// A host of one's own.
pub(crate) fn own_host(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let folder = scene.file("foreign").display().to_string();
        let url = scene.ports.url();
        let args = [
            "--nats-url",
            &url,
            "--data-dir",
            &folder,
            "--cache-dir",
            &folder,
            "--drain-timeout",
            "1",
            "--open",
        ];
        let before = refusals(scene);
        let mut host = Process::spawn(Launch::binary("wasmcloud")?.args(args))?;
        let hosts = async |scene: &Scene| anyhow::Ok(scene.client.get_hosts(Default::default()).await?.len());
        if let Ok(ready) = host.wait_for_line(Host::READY, WITHIN).await {
            let all = hosts(scene).await?;
            host.stop(WITHIN).await?;
            ensure!(all > 2, "{ready}, and it is not seen");
            return Ok(Outcome::succeeded("a host of somebody else's is one of the lattice"));
        }
        let said = host.output();
        ensure!(said.contains("authorization violation"), "{said}");
        let all = hosts(scene).await?;
        ensure!(all == 2, "{all} hosts are there");
        refused_since(scene, before).await
    }
    .boxed_local()
}

/// Who may read what `wash up` and the hosts keep on disk: nobody but their owner.
pub(crate) fn files(scene: &mut Scene) -> Attempted<'_> {
    async move {
        use std::os::unix::fs::PermissionsExt as _;
        let mut open = Vec::new();
        let mut folders = vec![scene.data().parent().context("it is in a folder")?.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
            for entry in entries.flatten() {
                let (path, data) = (entry.path(), entry.metadata()?);
                let is_private = data.permissions().mode() & 0o077 == 0;
                // What lies in a private folder nobody else reaches.
                if data.is_dir() && !is_private {
                    folders.push(path);
                } else if data.is_file() && !is_private {
                    open.push(path);
                }
            }
        }
        let words = ["creds", ".nk", "key", "seed", "log", "conf"];
        // Images are made by this program, for everybody to run.
        let mut open = open.iter().filter(|path| !path.starts_with(scene.signer.folder()));
        let telling = open.find(|path| words.iter().any(|word| path.to_string_lossy().contains(word)));
        match telling {
            Some(path) => {
                Ok(Outcome::succeeded(format!("everybody on the machine reads {}", path.display())))
            }
            None => Ok(Outcome::refused(By::Host, "modes of the files", "folders 0700, files 0600")),
        }
    }
    .boxed_local()
}
