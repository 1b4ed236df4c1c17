//! Telling a running server what the account's token says now: whom it no longer takes.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use lattice_claims::{
    KeyKind, KeyPair,
    nats::{UserGrant, UserToken},
};
use lattice_core::permission::Permissions;
use lattice_nats::{ConnectOptions, Connection, Credentials, Secret};
use serde::Deserialize;

use super::OwnNats;
use crate::{
    clock,
    exit::Exit,
    failure::{Failure, Outcome},
};

/// How long the user that pushes counts, in seconds: it is made for this one time.
const LASTS: u64 = 300;
const UPDATE: &str = "$SYS.REQ.CLAIMS.UPDATE";
const INBOX: &str = "_INBOX_wash";

/// A server that knows the newest token.
#[derive(Debug, Clone)]
pub(crate) struct Pushed {
    /// Where it was reached.
    pub(crate) url: String,
    /// Its own name.
    pub(crate) server: String,
}

#[derive(Deserialize)]
struct Answer {
    server: Option<Named>,
    data: Option<Done>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Done {
    #[serde(default)]
    code: u64,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    description: String,
}

/// Gives the account's token to the server at `url`, which from then on refuses, and disconnects, whom it revokes.
///
/// # Errors
/// The server is not in reach, is another one's, or refuses the token.
pub(crate) async fn push(own: &OwnNats, url: &str, ca: Option<PathBuf>, within: Duration) -> Outcome<Pushed> {
    let mut options = ConnectOptions::to(url).named("wash nats");
    options.credentials = pusher(own)?;
    options.inbox_prefix = Some(INBOX.to_owned());
    options.tls.ca_file = ca;
    let connection = Connection::connect(options, within).await.map_err(Failure::unreachable)?;
    let (_, token) = own.account()?;
    let answer = connection.request(UPDATE, Bytes::from(token), within).await;
    connection.close().await;
    let answer = answer.map_err(|error| {
        Failure::unreachable(error).context(format!("the server at {url} does not take tokens of accounts"))
    })?;
    let answer: Answer = serde_json::from_slice(&answer).map_err(Failure::refused)?;
    match (answer.data, answer.error) {
        (Some(Done { code: 200 }), None) => {
            Ok(Pushed { url: url.to_owned(), server: answer.server.map(|one| one.name).unwrap_or_default() })
        }
        (_, error) => {
            let why = error.map_or_else(|| "it gives no reason".to_owned(), |error| error.description);
            Err(Failure::say(
                Exit::Refused,
                format!("the server at {url} refused the account's token: {why}"),
            ))
        }
    }
}

/// A user of the system account that may do this and nothing else.
fn pusher(own: &OwnNats) -> Outcome<Credentials> {
    let (key, now) = (KeyPair::generate(KeyKind::User), clock::now());
    let token = UserToken {
        name: "wash".to_owned(),
        user: key.public_key().clone(),
        account: None,
        grant: UserGrant::Own {
            role: None,
            permissions: Permissions {
                publish: vec![UPDATE.to_owned(), format!("{INBOX}.>")],
                subscribe: vec![format!("{INBOX}.>")],
            },
        },
        issued: now,
        expires: Some(now + LASTS),
    };
    let jwt = token.sign(&own.system).map_err(Failure::refused)?;
    Ok(Credentials::JwtSeed { jwt, seed: Secret::new(key.seed().expose()) })
}
