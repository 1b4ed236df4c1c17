//! The provider in a process of its own, which is told where its buckets are: what a process is given lets it be itself on the lattice,
//! and touch no bucket.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use lattice_contracts::{
    ProviderContext,
    config::{Config, ConfigError, check_keys},
};
use lattice_nats::{ConnectError, ConnectOptions, Connection, Credentials, RequestError, Tls};
use lattice_provider_sdk::Joined;

use crate::KeyvalueNats;

const KEYS: &[&str] = &["nats_url", "nats_creds_file", "nats_ca_file", "js_domain"];
/// How long one attempt to connect may take, and the question whether there are buckets.
const WITHIN: Duration = Duration::from_secs(5);

/// Why there is no provider.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The provider's own configuration is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The NATS server of the buckets does not take it.
    #[error("no buckets: {0}")]
    Connect(#[from] ConnectError),
    /// It may not touch buckets there.
    #[error(
        "no buckets: NATS at {servers} does not allow JetStream to the credentials of a provider process; name the file of a \
         user who may: wash config put NAME nats_creds_file=FILE, and start it with --config NAME"
    )]
    NotAllowed {
        /// The servers.
        servers: String,
    },
}

/// Makes the provider for a process of its own. Configuration of the provider: `nats_url`, `nats_creds_file`, `nats_ca_file` and
/// `js_domain`, of the server with the buckets; without any it is the lattice's own, on which this process is then who it is anyway.
///
/// A server that cannot be reached is no failure: links say so, and work when it is there.
///
/// # Errors
/// [`ProcessError`].
pub async fn in_process(
    mut context: ProviderContext,
    joined: Joined,
) -> Result<Arc<KeyvalueNats>, ProcessError> {
    let config = std::mem::take(&mut context.config);
    let is_itself = !(config.contains_key("nats_url") || config.contains_key("nats_creds_file"));
    let options = options(&config, joined.options)?.named(format!("buckets of {}", context.id));
    let connection = match Connection::connect(options.clone(), WITHIN).await {
        Ok(connection) => connection,
        Err(error) if error.is_retryable() => {
            tracing::warn!(%error, "the server with the buckets is not in reach yet; it is tried again");
            Connection::connect_later(options, WITHIN).await?
        }
        Err(error) => return Err(error.into()),
    };
    if is_itself {
        check_allowed(&connection).await?;
    }
    Ok(KeyvalueNats::new(context, connection, joined.lattice)?)
}

/// What its own credentials allow does not change, so that is told at once. Whatever else is amiss, links tell.
async fn check_allowed(connection: &Connection) -> Result<(), ProcessError> {
    let subject = format!("{}.INFO", connection.js_api());
    match connection.request(&subject, Bytes::new(), WITHIN).await {
        Err(RequestError::Denied { .. }) => {
            Err(ProcessError::NotAllowed { servers: connection.shown_servers() })
        }
        _ => Ok(()),
    }
}

/// How to reach the buckets, where `lattice` is how to reach the lattice.
fn options(config: &Config, lattice: ConnectOptions) -> Result<ConnectOptions, ConfigError> {
    check_keys(config, KEYS)?;
    let mut options = lattice;
    if let Some(url) = config.get("nats_url") {
        // What the lattice gave is for its own servers alone.
        options.servers = ConnectOptions::to(url).servers;
        options.credentials = Credentials::None;
        options.tls = Tls::default();
    }
    if let Some(file) = config.get("nats_creds_file") {
        options.credentials = Credentials::CredsFile(file.into());
    }
    if let Some(file) = config.get("nats_ca_file") {
        options.tls.ca_file = Some(file.into());
    }
    options.js_domain = config.get("js_domain").cloned();
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lattice() -> ConnectOptions {
        let mut options = ConnectOptions::to("nats://lattice:4222");
        options.credentials =
            Credentials::JwtSeed { jwt: "token".to_owned(), seed: lattice_nats::Secret::new("seed") };
        options.tls.ca_file = Some("/lattice.pem".into());
        options
    }

    fn read(pairs: &[(&str, &str)]) -> Result<ConnectOptions, ConfigError> {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        options(&pairs.collect(), lattice())
    }

    #[test]
    fn where_the_buckets_are_and_who_asks_for_them() {
        let creds = Credentials::CredsFile("/x.creds".into());
        for (pairs, server, credentials, ca) in [
            (&[][..], "nats://lattice:4222", lattice().credentials, Some("/lattice.pem")),
            (
                &[("nats_creds_file", "/x.creds")][..],
                "nats://lattice:4222",
                creds.clone(),
                Some("/lattice.pem"),
            ),
            (&[("nats_url", "nats://kv:1")], "nats://kv:1", Credentials::None, None),
            (
                &[("nats_url", "nats://kv:1"), ("nats_creds_file", "/x.creds"), ("nats_ca_file", "/kv.pem")],
                "nats://kv:1",
                creds,
                Some("/kv.pem"),
            ),
        ] {
            let options = read(pairs).unwrap();
            assert_eq!(options.servers, [server], "{pairs:?}");
            assert_eq!(options.credentials, credentials, "{pairs:?}");
            assert_eq!(options.tls.ca_file, ca.map(Into::into), "{pairs:?}");
        }
        assert_eq!(read(&[("js_domain", "hub")]).unwrap().js_domain.as_deref(), Some("hub"));
        let unknown = read(&[("nats_cred_file", "/x.creds")]).unwrap_err().to_string();
        assert!(unknown.contains("did you mean nats_creds_file?"), "{unknown}");
    }
}
