//! Whose inbox answers come back on. With NATS's own, `_INBOX`, everybody who may hear answers hears those of all; so
//! credentials made by us allow an inbox of one's own, which is found in their token.

use lattice_claims::nats::{CredsFile, UserGrant, UserToken};
use lattice_core::permission::{inbox_prefix, inbox_within};

use crate::{ConnectOptions, Credentials, Member};

/// The prefix to use: the one asked for, else the one that the credentials allow, else none.
pub(crate) async fn prefix(options: &ConnectOptions) -> Option<String> {
    if options.inbox_prefix.is_some() {
        return options.inbox_prefix.clone();
    }
    let member = options.member.as_ref()?;
    match &options.credentials {
        Credentials::JwtSeed { jwt, .. } => of_token(jwt, member),
        Credentials::Renewable(newest) => of_token(&newest.jwt(), member),
        // A file that cannot be read is told of by whoever logs in with it.
        Credentials::CredsFile(path) => {
            let text = tokio::fs::read_to_string(path).await.ok()?;
            of_token(CredsFile::token_in(&text).ok()?, member)
        }
        Credentials::None | Credentials::UserPassword { .. } | Credentials::Token(_) => None,
    }
}

/// A token that is not of ours allows no inbox of ours.
fn of_token(token: &str, member: &Member) -> Option<String> {
    let token = UserToken::read(token).ok()?;
    match token.grant {
        UserGrant::Own { permissions, .. } => {
            inbox_within(&permissions.subscribe, &member.lattice, member.host.as_ref())
        }
        // Scoped keys of ours sign providers alone, whose name is their id.
        UserGrant::Scoped => Some(inbox_prefix(&member.lattice, &token.name)),
    }
}
