//! Provider processes, seen from inside: what their host tells them, and who they are on NATS by that.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use lattice_control_interface::{Client, StartProviderCommand};
use lattice_core::{HostId, ProviderId};
use lattice_nats::{ConnectOptions, Connection, Credentials, Secret};
use lattice_provider_sdk::wire::HostData;
use lattice_testkit::{binary, until};

use super::{Signer, WITHIN, people::connect};

/// What a provider's process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// It is the key-value provider, and somebody reads along what its host tells it.
    Tapped,
    /// It is the key-value provider, and nobody is in it.
    Honest,
    /// It takes what its host tells it, and does nothing more: whoever has that may speak for it.
    Mute,
}

/// Where providers are started.
pub(crate) struct Site<'a> {
    /// Commands of somebody who may.
    pub(crate) client: &'a Client,
    /// The host.
    pub(crate) host: &'a HostId,
    /// Who signs the program.
    pub(crate) signer: &'a Signer,
    /// Where a program writes down what it was told.
    pub(crate) folder: &'a Path,
}

/// A provider whose process somebody is in.
pub(crate) struct Inside {
    /// Its id.
    pub(crate) id: ProviderId,
    /// The process that its host started.
    pub(crate) pid: u32,
    /// What its host told it.
    pub(crate) told: HostData,
    /// Connected with the credentials that it was told.
    pub(crate) connection: Connection,
}

impl Program {
    /// The program, as a shell runs it without any environment. It writes its process id to `file`, and what it is told behind it.
    fn script(self, file: &Path) -> anyhow::Result<String> {
        let (file, provider) = (file.display(), binary("provider-keyvalue-memory")?);
        let provider = provider.display();
        let tell = |what: &str| {
            format!("umask 077\nprintf '%s %s' \"$$\" {what} > '{file}.new'\n/bin/mv '{file}.new' '{file}'\n")
        };
        let read = format!("read -r line\n{}", tell("\"$line\""));
        let rest = match self {
            Program::Tapped => format!("{read}{{ printf '%s\\n' \"$line\"; /bin/cat; }} | '{provider}'\n"),
            Program::Honest => format!("{}exec '{provider}'\n", tell("-")),
            Program::Mute => format!("{read}exec /bin/cat > /dev/null\n"),
        };
        Ok(format!("#!/bin/sh\n{rest}"))
    }
}

impl Site<'_> {
    fn file(&self, id: &str) -> PathBuf {
        self.folder.join(format!("told-{id}"))
    }

    /// Signs a program and lets the host start it. A mute one never gets ready, so it is not waited for.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn start(&self, id: &str, program: Program) -> anyhow::Result<()> {
        let script = program.script(&self.file(id))?;
        let image = self.signer.provider(&format!("{id}.par"), script.as_bytes())?;
        let command = StartProviderCommand::new(id.parse()?, image.display().to_string());
        match program {
            Program::Mute => drop(self.client.start_provider(self.host, &command).await?),
            Program::Tapped | Program::Honest => {
                drop(self.client.start_provider_and_wait(self.host, &command, WITHIN).await?);
            }
        }
        Ok(())
    }

    /// The process that the host started last for `id`, and the line it was told; once it has written them down.
    pub(crate) async fn told(&self, id: &str) -> anyhow::Result<(u32, String)> {
        let file = self.file(id);
        let read = async || {
            let text = fs::read_to_string(&file).ok()?;
            let (pid, line) = text.split_once(' ')?;
            Some((pid.parse().ok()?, line.to_owned()))
        };
        Ok(until(&format!("the process of {id} says what it was told"), WITHIN, read).await?)
    }

    /// Starts a provider, and gets into its process.
    ///
    /// # Errors
    /// It does not start, or what it was told lets nobody in.
    pub(crate) async fn enter(&self, id: &str, program: Program) -> anyhow::Result<Inside> {
        // What an earlier process of the id was told is not what this one is.
        let _none = fs::remove_file(self.file(id));
        self.start(id, program).await?;
        let (pid, line) = self.told(id).await?;
        let told = HostData::read(&line).context("what a host tells its provider does not read")?;
        let connection = connect(login(&told)).await?;
        Ok(Inside { id: id.parse()?, pid, told, connection })
    }
}

/// How somebody logs in with what a process was told.
pub(crate) fn login(told: &HostData) -> ConnectOptions {
    ConnectOptions {
        credentials: credentials(told),
        ..ConnectOptions::to(&told.lattice_rpc_url).named(&told.provider_key)
    }
}

/// What a process was given to log in with; nothing where the server asks nobody.
fn credentials(told: &HostData) -> Credentials {
    match told.lattice_rpc_user_jwt.as_str() {
        "" => Credentials::None,
        jwt => Credentials::JwtSeed {
            jwt: jwt.to_owned(),
            seed: Secret::new(told.lattice_rpc_user_seed.as_str()),
        },
    }
}
