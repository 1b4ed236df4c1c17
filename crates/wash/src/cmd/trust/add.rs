//! `wash trust add`.

use lattice_control_interface::{PutTrustCommand, TrustChange, TrustEntry};
use lattice_core::{AccountKey, LatticeName, Standing};

use super::{named, since};
use crate::{
    failure::Outcome,
    lattice::{Changed, ConnectionArgs, failed},
    output::Output,
};

/// The standing of a key that somebody trusted who was no admin.
const UNCONFIRMED: &str = "unconfirmed";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wash trust add ACCOUNT                      what the account signed starts on every host
  wash trust add SIGNING_KEY --account ACCOUNT  the key signs for the account, until it is revoked")]
pub(super) struct Args {
    /// The public key (A…) of the account, or of the key that signs for it
    key: AccountKey,
    /// The account that KEY signs for; without it KEY is an account itself
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<AccountKey>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: Args, out: &Output) -> Outcome {
    let session = args.connection.connect().await?;
    let command = PutTrustCommand { key: args.key.clone(), account: args.account };
    let TrustChange { before, now } = session.client.put_trust(&command).await.map_err(failed)?;
    let mut message = told(&command, before.as_ref(), session.client.lattice());
    if let Some(account) = &command.account {
        let known = session.client.get_trust().await.map_err(failed)?;
        message += &told_of_account(account, &known);
    }
    out.reply(&Changed::new(message, args.key, before, now))
}

fn told(command: &PutTrustCommand, before: Option<&TrustEntry>, lattice: &LatticeName) -> String {
    let PutTrustCommand { key, account } = command;
    let what = named(key, account.as_ref());
    let now = match account {
        None => format!("{what} is trusted in lattice {lattice}: what it signed starts on every host"),
        Some(account) => format!("{what} signs for account {account} in lattice {lattice}"),
    };
    match before {
        None => now,
        Some(before) if before.standing == UNCONFIRMED => format!("{now}; before, no admin had said so"),
        Some(before) if before.standing() == Standing::Revoked => {
            format!("{now}; it had been revoked{}", since(before))
        }
        Some(before) if before.account == *account => {
            format!("nothing changed: {what} has been trusted{}", since(before))
        }
        Some(before) => match &before.account {
            Some(other) => format!("{now}; before, it signed for account {other}"),
            None => format!("{now}; before, it was an account itself"),
        },
    }
}

/// A key that signs for an account counts where that account does.
fn told_of_account(account: &AccountKey, known: &[TrustEntry]) -> String {
    let entry = known.iter().find(|entry| entry.key == *account);
    match entry.map(|entry| (entry.standing(), entry.account.is_none())) {
        Some((Standing::Trusted, true)) => String::new(),
        Some((Standing::Revoked, _)) => {
            format!(
                "\nit counts nowhere, since the account was revoked; to trust it again: wash trust add {account}"
            )
        }
        _ => format!(
            "\nit counts on hosts whose flags name the account; for every host: wash trust add {account}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(letter: &str) -> AccountKey {
        AccountKey::new(format!("A{}", letter.repeat(55))).unwrap()
    }

    fn entry(of: &str, standing: &str, account: Option<AccountKey>) -> TrustEntry {
        let (standing, at) = (standing.to_owned(), "2026-11-21T01:17:37Z".to_owned());
        TrustEntry { key: key(of), standing, account, by: None, at, through: None }
    }

    #[test]
    fn it_says_what_changed() {
        let lattice = LatticeName::default();
        let plain = PutTrustCommand { key: key("B"), account: None };
        let signing = PutTrustCommand { key: key("B"), account: Some(key("C")) };
        let said = |command: &PutTrustCommand, before: Option<TrustEntry>| {
            let said = told(command, before.as_ref(), &lattice);
            said.replace(key("B").as_str(), "AB").replace(key("C").as_str(), "AC")
        };
        for (command, before, text) in [
            (&plain, None, "account AB is trusted in lattice default: what it signed starts on every host"),
            (
                &plain,
                Some(entry("B", "revoked", None)),
                "account AB is trusted in lattice default: what it signed starts on every host; it had been revoked since \
                 2026-11-21T01:17:37Z",
            ),
            (
                &plain,
                Some(entry("B", "trusted", None)),
                "nothing changed: account AB has been trusted since 2026-11-21T01:17:37Z",
            ),
            (&signing, None, "signing key AB signs for account AC in lattice default"),
            (
                &signing,
                Some(entry("B", "trusted", None)),
                "signing key AB signs for account AC in lattice default; before, it was an account itself",
            ),
        ] {
            assert_eq!(said(command, before), text);
        }
        assert_eq!(told_of_account(&key("C"), &[entry("C", "trusted", None)]), "");
        assert!(told_of_account(&key("C"), &[entry("C", "revoked", None)]).contains("counts nowhere"));
        assert!(told_of_account(&key("C"), &[]).contains("whose flags name"));
    }
}
