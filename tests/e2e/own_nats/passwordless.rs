//! A leaf port without a password: a server that asks nobody for credentials, joined with those of a site, which it lends to all of
//! its clients. Such a server knows no operator: one that does takes nobody without a token.

use std::{fs, time::Duration};

use lattice_claims::KeyPair;
use lattice_control_interface::{Client, Collect, ControlError, StartProviderCommand};
use lattice_core::{ConfigName, LatticeName};
use lattice_nats::{ConnectOptions, Connection};
use lattice_testkit::{Host, NatsOptions, NatsServer, until};

use super::{Own, WITHIN};

#[tokio::test]
async fn who_sits_on_a_passwordless_leaf_port_looks_and_commands_nothing() {
    let own = Own::set().await;
    let seed = fs::read_to_string(own.root.join("keys/admin.nk")).unwrap();
    let admin = KeyPair::from_seed(seed.trim()).unwrap();
    let _host = strict_host(&own, admin.public_key().as_str()).await;
    let leaf = passwordless_leaf(&own).await;

    let plant = LatticeName::new("plant").unwrap();
    let mut options = ConnectOptions::to(&leaf.url());
    // NATS's own inbox does not get through a site's leaf connection. Whoever sits here takes one that does.
    options.inbox_prefix = Some("wasmbus.inbox.plant.=user.mallory".to_owned());
    let connection = Connection::connect(options, WITHIN).await.unwrap();
    let mallory = Client::new(connection, plant, Duration::from_secs(10));
    let seen = async || mallory.get_hosts(Collect::default()).await.ok()?.into_iter().next();
    let host = until("the host is seen", WITHIN, seen).await.unwrap().id;

    let (name, values) = (ConfigName::new("web").unwrap(), [("a".to_owned(), "b".to_owned())].into());
    let provider = StartProviderCommand::new("web".parse().unwrap(), "builtin://http-server");
    for (what, outcome) in [
        ("config", mallory.put_config(&name, &values).await.map(drop)),
        ("provider", mallory.start_provider(&host, &provider).await.map(drop)),
        ("stop", mallory.stop_host(&host, None).await.map(drop)),
    ] {
        match outcome {
            Err(ControlError::NotAllowed { code, .. }) => assert_eq!(code, "signature-required", "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    assert_eq!(mallory.get_config(&name).await.unwrap(), None);
    assert!(mallory.get_host_inventory(&host).await.unwrap().providers.is_empty());
    // It is the signature that was missing, and nothing else.
    mallory.signed_by(admin).put_config(&name, &values).await.unwrap();
    assert_eq!(mallory.get_config(&name).await.unwrap(), Some(values));
}

/// A host of the lattice `plant` at the first server, which takes commands of this admin.
async fn strict_host(own: &Own, admin: &str) -> Host {
    let (creds, cache) = (own.creds("plant-host"), own.stage.folder().join("cache"));
    let (creds, cache) = (creds.display().to_string(), cache.display().to_string());
    let who = ["--nats-creds", &creds, "--lattice", "plant", "--cache-dir", &cache];
    let args = [&who[..], &["--require-signed-control", "--admin", admin]].concat();
    Host::start(&own.hub, args, &[]).await.unwrap()
}

/// A server without credentials of its own, which joins the first one with the site's.
async fn passwordless_leaf(own: &Own) -> NatsServer {
    let (leaf, creds) = (&own.leaf, own.creds("plant-leaf"));
    let config =
        format!("leafnodes {{ remotes [ {{ url: \"nats-leaf://{leaf}\", credentials: {creds:?} }} ] }}");
    NatsServer::start_with(NatsOptions { jetstream: false, config, ..NatsOptions::default() }).await.unwrap()
}
