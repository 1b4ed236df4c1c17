//! The calling side of a call between hosts, without a guest: the project's own protocol and nothing around it.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use lattice_contracts::{CallContext, InvocationIds};
use lattice_core::{CallTo, EntityId, Hop, HostId, LatticeName, LinkName};
use lattice_nats::{
    Called, Calls, ConnectOptions, Connection, Credentials,
    remote::{Function, values},
};

use crate::bare_function::{FUNCTION, INTERFACE};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls `add` of one actor on one host, in the name of a source that is linked to it.
pub(crate) struct LatticeCaller {
    calls: Calls,
    ids: InvocationIds,
    source: EntityId,
    host: HostId,
    target: EntityId,
}

impl LatticeCaller {
    /// Connects to a NATS server of this machine, with the credentials in that file if there is one.
    ///
    /// # Errors
    /// A malformed name, a server elsewhere, or what NATS says.
    pub(crate) async fn connect(
        url: &str,
        creds: Option<PathBuf>,
        source: &str,
        host: &str,
        target: &str,
    ) -> anyhow::Result<Self> {
        ensure!(url.starts_with("nats://127.0.0.1:"), "{url} is not on this machine");
        let source: EntityId = source.parse().context("SOURCE")?;
        let credentials = creds.map_or(Credentials::None, Credentials::CredsFile);
        let options = ConnectOptions::to(url).named("bench").on(&LatticeName::default());
        let connection =
            Connection::connect(ConnectOptions { credentials, ..options }, CONNECT_WITHIN).await?;
        let calls = Calls::open(&connection, &LatticeName::default(), &source).await?;
        let ids = InvocationIds::new(u64::from(std::process::id()));
        let (host, target) = (host.parse().context("HOST")?, target.parse().context("TARGET")?);
        Ok(Self { calls, ids, source, host, target })
    }

    /// 2 + 3, as two LEB128 numbers; the answer is an option with a LEB128 number in it.
    ///
    /// # Errors
    /// Whatever the call met, and a wrong sum.
    pub(crate) async fn add(&self) -> anyhow::Result<()> {
        let call = CallContext {
            id: self.ids.next(),
            source: self.source.clone(),
            target: self.target.clone(),
            link: LinkName::default(),
            deadline: tokio::time::Instant::now() + PATIENCE,
            depth: 0,
            trace: None,
        };
        let called = Called {
            interface: INTERFACE.to_owned(),
            function: FUNCTION.to_owned(),
            known: true,
            ..Called::default()
        };
        let hop = || Hop::Host(self.host.clone());
        let function = Function { interface: INTERFACE, function: FUNCTION };
        let request = values::offer(function, &[2, 3], hop())?.outbound();
        let answer = self.calls.call(&call, CallTo::Host(self.host.clone()), called, request).await?;
        let answer = values::results(answer, hop()).await?;
        ensure!(answer.as_ref() == [1, 5], "2 + 3 came back as {answer:?}");
        Ok(())
    }
}
