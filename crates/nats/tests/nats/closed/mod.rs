//! A server that knows an operator, and users by role: what each can do, and what the server refuses.

mod providers;
mod roles;

use std::{collections::BTreeMap, time::SystemTime};

use lattice_claims::{
    KeyKind, KeyPair,
    nats::{AccountToken, OperatorToken, ScopedKey, Times, UserGrant, UserToken, provider_credentials},
};
use lattice_core::{
    EntityId, LatticeName,
    permission::{Permissions, Principal, Reach, Role, Template, inbox_prefix},
};
use lattice_nats::{ConnectError, ConnectOptions, Connection, Credentials, Renewable, Secret};
use lattice_testkit::NatsServer;

use crate::{LONG, host, lattice, server_with};

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) struct Closed {
    pub(crate) server: NatsServer,
    account: KeyPair,
    /// Signs providers of the lattice `default`, and nothing else.
    scoped: KeyPair,
}

impl Closed {
    pub(crate) async fn start() -> Self {
        let key = KeyPair::generate;
        let (operator, system, account, scoped) =
            (key(KeyKind::Operator), key(KeyKind::Account), key(KeyKind::Account), key(KeyKind::Account));
        let root = OperatorToken {
            name: "tests".to_owned(),
            operator: operator.public_key().clone(),
            system_account: system.public_key().clone(),
        };
        let of = |name: &str, key: &KeyPair, jetstream, scoped_keys| AccountToken {
            name: name.to_owned(),
            account: key.public_key().clone(),
            jetstream,
            scoped_keys,
            revoked: BTreeMap::new(),
            issued: now(),
        };
        let providers = ScopedKey {
            key: scoped.public_key().clone(),
            role: Role::Provider,
            template: Template::of(Role::Provider, &lattice()),
        };
        let config = format!(
            "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}",
            root.sign(&operator, Times::from(now())).unwrap(),
            system.public_key(),
            system.public_key(),
            of("SYS", &system, false, vec![]).sign(&operator).unwrap(),
            account.public_key(),
            of("LATTICE", &account, true, vec![providers]).sign(&operator).unwrap(),
        );
        Self { server: server_with(&config).await, account, scoped }
    }

    pub(crate) fn options(&self, token: String, key: &KeyPair, lattice: &LatticeName) -> ConnectOptions {
        let seed = Secret::new(key.seed().expose());
        ConnectOptions {
            credentials: Credentials::JwtSeed { jwt: token, seed },
            ..ConnectOptions::to(&self.server.url()).on(lattice)
        }
    }

    /// Logs in as `principal` of a lattice.
    pub(crate) async fn join_as(&self, principal: &Principal, lattice: &LatticeName) -> Connection {
        let key = KeyPair::generate(KeyKind::User);
        let reach = Reach::Lattice(lattice.clone());
        let token = UserToken {
            name: "tester".to_owned(),
            user: key.public_key().clone(),
            account: None,
            grant: UserGrant::Own {
                role: Some((principal.role(), reach.to_string())),
                permissions: Permissions::of(principal, &reach),
            },
            issued: now(),
            expires: None,
        };
        let mut options = self.options(token.sign(&self.account).unwrap(), &key, lattice);
        if let Principal::Host(bound) = principal {
            // Credentials of any host are used by one all the same.
            options = options.as_host(lattice, &bound.clone().unwrap_or_else(|| host('B')));
        }
        Connection::connect(options, LONG).await.unwrap()
    }

    /// Logs in as a provider, with what its host would give it.
    pub(crate) async fn provider(&self, id: &str) -> Connection {
        let account = self.account.public_key();
        let creds = provider_credentials(&self.scoped, account, &id.parse().unwrap(), now()).unwrap();
        let options = self.options(creds.token, &creds.key, &lattice());
        let inbox_prefix = Some(inbox_prefix(&lattice(), id));
        Connection::connect(ConnectOptions { inbox_prefix, ..options }, LONG).await.unwrap()
    }

    /// A provider's token that counts for so many seconds, and its seed.
    pub(crate) fn provider_token(&self, id: &str, seconds: u64) -> (String, Secret) {
        let key = KeyPair::generate(KeyKind::User);
        let token = UserToken {
            name: id.to_owned(),
            user: key.public_key().clone(),
            account: Some(self.account.public_key().clone()),
            grant: UserGrant::Scoped,
            issued: now(),
            expires: Some(now() + seconds),
        };
        (token.sign(&self.scoped).unwrap(), Secret::new(key.seed().expose()))
    }

    /// How a provider logs in with a token that is to be renewed.
    pub(crate) fn renewable_provider(&self, id: &str, seconds: u64) -> ConnectOptions {
        let (jwt, seed) = self.provider_token(id, seconds);
        ConnectOptions {
            credentials: Credentials::Renewable(Renewable::new(jwt, seed)),
            ..ConnectOptions::to(&self.server.url()).on(&lattice())
        }
    }

    /// Logs in with a provider's token that is not as it should be.
    pub(crate) async fn changed_provider(
        &self,
        change: impl FnOnce(&mut UserToken),
    ) -> Result<Connection, ConnectError> {
        let key = KeyPair::generate(KeyKind::User);
        let mut token = UserToken {
            name: "web".to_owned(),
            user: key.public_key().clone(),
            account: Some(self.account.public_key().clone()),
            grant: UserGrant::Scoped,
            issued: now(),
            expires: Some(now() + 3600),
        };
        change(&mut token);
        let options = self.options(token.sign(&self.scoped).unwrap(), &key, &lattice());
        let inbox_prefix = Some(inbox_prefix(&lattice(), "web"));
        Connection::connect(ConnectOptions { inbox_prefix, ..options }, LONG).await
    }
}

pub(crate) fn entity(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}
