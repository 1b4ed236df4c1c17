//! `trust.put`, `trust.del`, `trust.get`: whose signatures count in the lattice.

use lattice_claims::{KeyKind, PublicKey};
use lattice_control_interface::{DeleteTrustCommand, PutTrustCommand, TrustChange, TrustEntry};
use lattice_core::{AccountKey, Standing, TrustFact};

use super::{
    Ctl,
    guard::Admitted,
    reply::{Answer, Outcome, read},
};
use crate::roles::About;

impl Ctl {
    pub(super) async fn trust_put(&self, body: &[u8], asked: &Admitted) -> Outcome<TrustChange> {
        let command: PutTrustCommand = read("trust put", body)?;
        for key in [Some(&command.key), command.account.as_ref()].into_iter().flatten() {
            is_account(key)?;
        }
        if command.account.as_ref() == Some(&command.key) {
            return Err(format!(
                "{} cannot sign for itself; as an account it needs no other key: wash trust add {0}",
                command.key
            ));
        }
        if let Some(why) = self.roles.objection(&About::Trust(&command.key), asked.order.as_ref()) {
            return Err(why);
        }
        self.say(&command.key, Standing::Trusted, command.account, asked).await
    }

    pub(super) async fn trust_del(&self, body: &[u8], asked: &Admitted) -> Outcome<TrustChange> {
        let command: DeleteTrustCommand = read("trust delete", body)?;
        let key = &command.key;
        is_account(key)?;
        let before = self.entry_now(key).await;
        if !command.forget {
            // For whom it signed stays on record.
            let account = before.and_then(|entry| entry.account);
            return self.say(key, Standing::Revoked, account, asked).await;
        }
        self.lattice.delete_trust(key).await.map_err(|error| error.to_string())?;
        self.roles.end(&About::Trust(key), asked.order.as_ref()).await;
        Ok(Answer::Data(TrustChange { before, now: None }))
    }

    pub(super) async fn trust_get(&self) -> Outcome<Vec<TrustEntry>> {
        self.lattice.wait_current().await;
        Ok(Answer::Data(self.trust.entries().values().cloned().collect()))
    }

    /// Writes what the lattice says of a key. What it says already stays as it was, with who said it first and when.
    async fn say(
        &self,
        key: &AccountKey,
        standing: Standing,
        account: Option<AccountKey>,
        asked: &Admitted,
    ) -> Outcome<TrustChange> {
        let standing_is_trusted = standing == Standing::Trusted;
        let says = TrustFact::new(standing, account, asked.key.clone(), asked.order.clone());
        let before = self.entry_now(key).await;
        let is_same =
            |entry: &TrustEntry| (&entry.standing, &entry.account) == (&says.standing, &says.account);
        // An order is not lost because it says what stands there: a host that heard of others in between may count this one alone.
        let old = self.lattice.view().trust.get(key).and_then(|written| written.says.order.clone());
        let is_news =
            standing_is_trusted && self.roles.is_later(&About::Trust(key), says.order.as_ref(), old.as_ref());
        if is_news || !before.as_ref().is_some_and(is_same) {
            self.lattice.put_trust(key, &says).await.map_err(|error| error.to_string())?;
        }
        let now = self.trust.entries().get(key).cloned();
        Ok(Answer::Data(TrustChange { before, now }))
    }

    async fn entry_now(&self, key: &AccountKey) -> Option<TrustEntry> {
        self.lattice.wait_current().await;
        self.trust.entries().get(key).cloned()
    }
}

/// Text of the right shape may still be no key: one letter copied wrongly would name nobody, for ever.
fn is_account(key: &AccountKey) -> Result<(), String> {
    PublicKey::of_kind(key.as_str(), KeyKind::Account).map(drop).map_err(|error| format!("{key}: {error}"))
}
