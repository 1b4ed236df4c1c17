//! Tokens of NATS: what is signed reads back, and says on the wire what servers expect.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use lattice_claims::{
    KeyKind, KeyPair, SignError,
    nats::{
        AccountToken, OperatorToken, PROVIDER_TOKEN_SECONDS, ScopedKey, Times, UserGrant, UserToken,
        provider_credentials,
    },
};
use lattice_core::{
    EntityId, LatticeName,
    permission::{Permissions, Principal, Reach, Role, Template},
};
use serde_json::{Value, json};

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

fn key(kind: KeyKind) -> KeyPair {
    KeyPair::generate(kind)
}

fn viewer() -> Permissions {
    let vera = Principal::Viewer(EntityId::new("vera").unwrap());
    Permissions::of(&vera, &Reach::Lattice(LatticeName::default()))
}

#[test]
fn an_operator_and_an_account_read_back() {
    let (operator, system, account) = (key(KeyKind::Operator), key(KeyKind::Account), key(KeyKind::Account));
    let root = OperatorToken {
        name: "hub".into(),
        operator: operator.public_key().clone(),
        system_account: system.public_key().clone(),
    };
    let token = root.sign(&operator, Times::from(1_000)).unwrap();
    assert_eq!(part(&token, 0), json!({"alg": "ed25519-nkey", "typ": "JWT"}));
    let body = part(&token, 1);
    assert_eq!((&body["iat"], &body["nats"]["version"], body.get("nbf")), (&json!(1_000), &json!(2), None));
    assert_eq!(OperatorToken::read(&token).unwrap(), root);

    let account = AccountToken {
        name: "LATTICE".into(),
        account: account.public_key().clone(),
        jetstream: true,
        scoped_keys: vec![ScopedKey {
            key: key(KeyKind::Account).public_key().clone(),
            role: Role::Provider,
            template: Template::of(Role::Provider, &LatticeName::default()),
        }],
        revoked: BTreeMap::from([("UABC".into(), 900)]),
        issued: 1_000,
    };
    let token = account.sign(&operator).unwrap();
    assert_eq!(AccountToken::read(&token).unwrap(), account);
    assert!(token.len() < 4096 * 4);
    let template = &part(&token, 1)["nats"]["signing_keys"][0]["template"];
    let has = |list: &Value, subject: &str| list.as_array().unwrap().contains(&json!(subject));
    assert!(has(&template["pub"]["allow"], "wasmbus.call.default.{{name()}}.>"), "{template}");
    assert!(has(&template["pub"]["deny"], "wasmbus.call.default.wash.>"), "{template}");
    assert!(has(&template["sub"]["deny"], "wasmbus.back.default.*.host.>"), "{template}");
    assert!(matches!(account.sign(&system), Err(SignError::KeyKind { .. })), "accounts sign no accounts");
    assert!(UserToken::read(&token).is_err(), "an account is no user");
}

#[test]
fn a_user_reads_back_and_is_revoked_up_to_a_second() {
    let (account, user) = (key(KeyKind::Account), key(KeyKind::User));
    let role = Some((Role::Viewer, "default".to_owned()));
    let token = UserToken {
        name: "vera".into(),
        user: user.public_key().clone(),
        account: None,
        grant: UserGrant::Own { role, permissions: viewer() },
        issued: 1_000,
        expires: Some(2_000),
    };
    let signed = token.sign(&account).unwrap();
    assert_eq!(UserToken::read(&signed).unwrap(), token);
    let nats = &part(&signed, 1)["nats"];
    assert_eq!((&nats["subs"], &nats["allowed_connection_types"]), (&json!(-1), &json!(["STANDARD"])));
    let mut of = AccountToken {
        name: "LATTICE".into(),
        account: account.public_key().clone(),
        jetstream: true,
        scoped_keys: Vec::new(),
        revoked: BTreeMap::new(),
        issued: 1_000,
    };
    assert!(!of.is_revoked(&token.user, 1_000));
    of.revoked.insert(token.user.to_string(), 1_000);
    assert!(of.is_revoked(&token.user, 1_000) && !of.is_revoked(&token.user, 1_001));
    let never = UserToken { expires: Some(999), ..token };
    assert!(matches!(never.sign(&account), Err(SignError::NeverValid { .. })));
}

#[test]
fn a_provider_says_who_it_is_and_nothing_else() {
    let (account, signing) = (key(KeyKind::Account), key(KeyKind::Account));
    let creds = provider_credentials(&signing, account.public_key(), &"web".parse().unwrap(), 1_000).unwrap();
    let token = UserToken::read(&creds.token).unwrap();
    assert_eq!((token.name.as_str(), &token.grant), ("web", &UserGrant::Scoped));
    assert_eq!(token.expires, Some(1_000 + PROVIDER_TOKEN_SECONDS));
    let nats = part(&creds.token, 1)["nats"].clone();
    let said = json!({"pub": {}, "sub": {}, "issuer_account": account.public_key().as_str(), "type": "user", "version": 2});
    assert_eq!(nats, said, "a server refuses such a token that says more");
}

#[test]
fn what_is_no_token_is_refused() {
    for text in ["", "a.b", "a.b.c", "a.b.c.d", "e30.e30.e30", &format!("a.{}.c", "x".repeat(1 << 20))] {
        assert!(UserToken::read(text).is_err() && AccountToken::read(text).is_err(), "{text:.20}");
    }
}
