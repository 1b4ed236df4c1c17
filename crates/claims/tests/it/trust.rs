//! Whose signatures count, where flags and a lattice both have a say.

use lattice_claims::{
    KeyPair, PublicKey, SignActor, Trust, Verdict, VerifyError, Word, sign_actor, verify_actor,
};
use proptest::prelude::*;

use crate::fixtures::{NOW, account, component, module_key};

/// What is wrong with something signed by `issuer`, if anything is; and for which account it was signed.
fn signed_by(issuer: &KeyPair, trust: &Trust) -> Result<PublicKey, VerifyError> {
    let wasm =
        sign_actor(&component(), &SignActor::default(), issuer, module_key().public_key(), NOW).unwrap();
    verify_actor(&wasm, trust, NOW).map(|verified| verified.account)
}

fn key(pair: &KeyPair) -> PublicKey {
    pair.public_key().clone()
}

#[test]
fn a_signing_key_counts_as_long_as_it_is_named_and_its_account_counts() {
    let (own, signing) = (account(), account());
    let flags = Trust::accounts([own.public_key()]).unwrap();
    let named = (key(&signing), Word::SigningKey(key(&own)));
    let untrusted = |pair: &KeyPair| VerifyError::UntrustedIssuer { issuer: pair.public_key().to_string() };

    assert_eq!(signed_by(&signing, &flags), Err(untrusted(&signing)));
    for trust in [
        flags.in_lattice([named.clone()]),
        Trust::nobody().in_lattice([named.clone(), (key(&own), Word::Account)]),
    ] {
        assert_eq!(signed_by(&own, &trust), Ok(key(&own)));
        assert_eq!(signed_by(&signing, &trust), Ok(key(&own)), "it signs for its account");
    }
    // Named by the lattice, but nobody names its account here.
    let error = signed_by(&signing, &Trust::nobody().in_lattice([named.clone()])).unwrap_err();
    assert!(matches!(error, VerifyError::UntrustedAccount { .. }), "{error}");
    assert!(error.remedy().contains(&format!("wash trust add {}", own.public_key())), "{}", error.remedy());
    // Revoked, the key is refused and its account is not; a revoked account takes its keys along.
    let one = flags.in_lattice([(key(&signing), Word::Revoked)]);
    assert_eq!(signed_by(&own, &one), Ok(key(&own)));
    let error = signed_by(&signing, &one).unwrap_err();
    assert_eq!(error, VerifyError::RevokedIssuer { issuer: signing.public_key().to_string(), account: None });
    let all = flags.in_lattice([named, (key(&own), Word::Revoked)]);
    let error = signed_by(&signing, &all).unwrap_err();
    assert!(
        error.to_string().contains(&format!("account {}, for which its issuer", own.public_key())),
        "{error}"
    );
    assert!(matches!(signed_by(&own, &all), Err(VerifyError::RevokedIssuer { account: None, .. })));
}

#[test]
fn who_signs_for_another_names_nobody_further() {
    let [own, signing, further] = [account(), account(), account()];
    let trust = Trust::accounts([own.public_key()]).unwrap().in_lattice([
        (key(&signing), Word::SigningKey(key(&own))),
        (key(&further), Word::SigningKey(key(&signing))),
    ]);
    assert!(matches!(signed_by(&further, &trust), Err(VerifyError::UntrustedAccount { .. })));
}

#[test]
fn nobody_is_nobody_until_one_counts() {
    let own = account();
    assert!(Trust::nobody().is_nobody());
    assert!(Trust::nobody().in_lattice([(key(&own), Word::SigningKey(key(&account())))]).is_nobody());
    assert!(!Trust::nobody().in_lattice([(key(&own), Word::Account)]).is_nobody());
    let flags = Trust::accounts([own.public_key()]).unwrap();
    assert!(!flags.is_nobody());
    assert!(flags.in_lattice([(key(&own), Word::Revoked)]).is_nobody());
}

proptest! {
    /// Keys are few, so that they meet: some are named by flags, and of each the lattice may say anything.
    #[test]
    fn what_was_revoked_never_counts_and_what_counts_was_named(
        flags in proptest::collection::btree_set(0_usize..4, 0..4),
        words in proptest::collection::btree_map(0_usize..4, (0_u8..3, 0_usize..4), 0..5),
    ) {
        let keys: Vec<PublicKey> = (0..4).map(|_| key(&account())).collect();
        let word = |(kind, account): &(u8, usize)| match kind {
            0 => Word::Account,
            1 => Word::SigningKey(keys[*account].clone()),
            _ => Word::Revoked,
        };
        let lattice: Vec<_> = words.iter().map(|(of, said)| (keys[*of].clone(), word(said))).collect();
        let trust = Trust::accounts(flags.iter().map(|of| keys[*of].as_str())).unwrap().in_lattice(lattice);
        let is_revoked = |of: usize| matches!(words.get(&of), Some((2, _)));
        let is_account = |of: usize| flags.contains(&of) || matches!(words.get(&of), Some((0, _)));
        for (of, issuer) in keys.iter().enumerate() {
            let signs_for = words.get(&of).filter(|(kind, _)| *kind == 1).map(|(_, account)| *account);
            let taken = is_revoked(of) || signs_for.is_some_and(is_revoked);
            let given = is_account(of) || signs_for.is_some_and(is_account);
            let verdict = trust.judge(issuer);
            prop_assert_eq!(matches!(verdict, Verdict::Revoked { .. }), taken);
            prop_assert_eq!(trust.trusts(issuer), given && !taken);
            if let Verdict::Counts { account } = verdict {
                let of_account = keys.iter().position(|key| *key == account).unwrap();
                prop_assert!(is_account(of_account) && !is_revoked(of_account));
            }
        }
    }
}
