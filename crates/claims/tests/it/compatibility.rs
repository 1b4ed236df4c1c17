//! Compatibility with wascap 0.16, the reference implementation: it verifies ours, we verify its, and the hashes are the same.
//! (wascap prints debug lines to stderr while it embeds; they are its own.)

use std::collections::{BTreeMap, HashMap};

use crate::fixtures::{account, component, custom, module, module_key, pad_lengths, section, wrap};
use lattice_claims::{
    AccountMetadata, AnyClaims, ArchiveLimits, Claims, HashCheck, HostMetadata, KeyKind, KeyPair,
    OperatorMetadata, ProviderMetadata, SignActor, SignProvider, Trust, canonical_hash, create_provider,
    decode_token, inspect_provider, sign_actor, sign_token, verify_actor, verify_token,
};
use proptest::prelude::*;
use wascap::{
    jwt as theirs,
    wasm::{embed_claims, extract_claims},
};

fn nkey(pair: &KeyPair) -> wascap::prelude::KeyPair {
    wascap::prelude::KeyPair::from_seed(pair.seed().expose()).unwrap()
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn trust(account: &KeyPair) -> Trust {
    Trust::accounts([account.public_key()]).unwrap()
}

fn wasm_files() -> Vec<(&'static str, Vec<u8>)> {
    let nested = wrap(true, &[section(1, &module(), true), section(4, &component(), false)].concat());
    vec![
        ("module", module()),
        ("component", component()),
        ("module, padded", pad_lengths(&module())),
        ("component, padded", pad_lengths(&component())),
        ("nested", nested),
        ("empty module", wrap(false, &[])),
        ("empty component", wrap(true, &[])),
        ("signed before", [module(), custom("jwt", b"old", true)].concat()),
        (
            "nested signed before",
            wrap(true, &section(1, &[module(), custom("jwt", b"old", false)].concat(), true)),
        ),
    ]
}

/// The hash that wascap computes, and the file that it makes.
fn sign_as_wascap(wasm: &[u8], account: &KeyPair, subject: &KeyPair) -> (String, Vec<u8>) {
    let claims = theirs::Claims::<theirs::Component>::new(
        "theirs".to_owned(),
        account.public_key().to_string(),
        subject.public_key().to_string(),
        Some(vec!["tag".to_owned()]),
        false,
        Some(3),
        Some("0.1.0".to_owned()),
        Some("Their-Alias".to_owned()),
    );
    let signed = embed_claims(wasm, &claims, &nkey(account)).unwrap();
    let hash = extract_claims(&signed).unwrap().unwrap().claims.metadata.unwrap().module_hash;
    (hash, signed)
}

#[test]
fn wascap_verifies_our_actors() {
    let (account, subject) = (account(), module_key());
    for (name, wasm) in wasm_files() {
        let sign = SignActor {
            name: Some("ours".to_owned()),
            version: Some("1.2.3".to_owned()),
            revision: Some(7),
            tags: vec!["a".to_owned(), "b".to_owned()],
            call_alias: Some("Our-Alias.x".to_owned()),
            expires: Some(now() + 3600),
            not_before: Some(now() - 10),
        };
        let signed = sign_actor(&wasm, &sign, &account, subject.public_key(), now()).unwrap();
        let token = extract_claims(&signed).unwrap().expect(name);
        assert_eq!(token.claims.issuer, account.public_key().as_str());
        assert_eq!(token.claims.subject, subject.public_key().as_str());
        assert_eq!((token.claims.expires, token.claims.not_before), (sign.expires, sign.not_before));
        let metadata = token.claims.metadata.unwrap();
        assert_eq!(metadata.module_hash, canonical_hash(&wasm).unwrap(), "{name}");
        assert_eq!(metadata.name.as_deref(), Some("ours"));
        assert_eq!(metadata.ver.as_deref(), Some("1.2.3"));
        assert_eq!((metadata.rev, metadata.provider), (Some(7), false));
        assert_eq!(metadata.tags.as_deref(), Some(&["a".to_owned(), "b".to_owned()][..]));
        assert_eq!(metadata.call_alias.as_deref(), Some("our_alias_x"));
        let checked = theirs::validate_token::<theirs::Component>(&token.jwt).unwrap();
        assert!(
            checked.signature_valid && !checked.expired && !checked.cannot_use_yet,
            "{name}: {checked:?}"
        );
    }
}

#[test]
fn we_verify_their_actors_and_write_the_same_file() {
    let (account, subject) = (account(), module_key());
    for (name, wasm) in wasm_files() {
        let (hash, signed) = sign_as_wascap(&wasm, &account, &subject);
        assert_eq!(canonical_hash(&wasm).unwrap(), hash, "{name}");
        assert_eq!(canonical_hash(&signed).unwrap(), hash, "{name}");
        let verified = verify_actor(&signed, &trust(&account), now()).unwrap();
        assert_eq!(verified.hash, HashCheck::Confirmed);
        assert_eq!(&verified.subject, subject.public_key());
        let metadata = verified.claims.metadata.unwrap();
        assert_eq!(metadata.call_alias.as_deref(), Some("their_alias"));
        assert_eq!(metadata.tags.as_deref(), Some(&["tag".to_owned()][..]));
        // Same token, same file: what we embed is where and how they embed it.
        assert_eq!(lattice_claims::embed_token(&wasm, &verified.token).unwrap(), signed, "{name}");
    }
}

#[test]
fn tokens_of_every_entity_are_read_by_both() {
    let operator = KeyPair::generate(KeyKind::Operator);
    let account = account();
    let host = KeyPair::generate(KeyKind::Host);

    let metadata =
        AccountMetadata { name: Some("acme".to_owned()), valid_signers: Some(vec!["A2".to_owned()]) };
    let claims = Claims::new(operator.public_key(), account.public_key(), metadata, now());
    let token = sign_token(&claims, &operator).unwrap();
    assert!(theirs::validate_token::<theirs::Account>(&token).unwrap().signature_valid);
    let read = theirs::Claims::<theirs::Account>::decode(&token).unwrap();
    assert_eq!(read.metadata.unwrap().valid_signers, Some(vec!["A2".to_owned()]));
    assert_eq!(verify_token::<AccountMetadata>(&token).unwrap(), claims);

    let metadata = OperatorMetadata { name: Some("op".to_owned()), valid_signers: None };
    let claims = Claims::new(operator.public_key(), operator.public_key(), metadata, now());
    let token = sign_token(&claims, &operator).unwrap();
    assert!(theirs::validate_token::<theirs::Operator>(&token).unwrap().signature_valid);

    let labels = HashMap::from([("zone".to_owned(), "eu".to_owned())]);
    let token = theirs::Claims::<theirs::Host>::new(
        "h1".to_owned(),
        account.public_key().to_string(),
        host.public_key().to_string(),
        Some(labels),
    )
    .encode(&nkey(&account))
    .unwrap();
    let read = verify_token::<HostMetadata>(&token).unwrap();
    assert_eq!(read.metadata.unwrap().labels.unwrap()["zone"], "eu");
    let decoded = decode_token(&token).unwrap();
    assert_eq!(decoded.signature, Ok(()));
    assert!(matches!(decoded.claims, AnyClaims::Host(_)));
    assert_eq!((decoded.claims.name(), decoded.claims.kind()), (Some("h1"), KeyKind::Host));
}

#[test]
fn provider_claims_are_read_by_both() {
    let (account, provider) = (account(), KeyPair::generate(KeyKind::Provider));
    let binaries = BTreeMap::from([("x86_64-linux".to_owned(), b"\x7fELF".to_vec())]);
    let sign = SignProvider {
        name: "kv".to_owned(),
        vendor: "acme".to_owned(),
        version: Some("0.1.0".to_owned()),
        config_schema: Some(serde_json::json!({"type": "object"})),
        ..SignProvider::default()
    };
    let archive = create_provider(&sign, &binaries, None, &account, provider.public_key(), now()).unwrap();
    let contents = inspect_provider(&archive, &ArchiveLimits::default()).unwrap();
    assert!(theirs::validate_token::<theirs::CapabilityProvider>(&contents.token).unwrap().signature_valid);
    let read =
        theirs::Claims::<theirs::CapabilityProvider>::decode(&contents.token).unwrap().metadata.unwrap();
    assert_eq!((read.name.as_deref(), read.vendor.as_str()), (Some("kv"), "acme"));
    assert_eq!(read.target_hashes["x86_64-linux"], contents.hashes["x86_64-linux"]);
    assert_eq!(read.config_schema, sign.config_schema);

    let token = theirs::Claims::<theirs::CapabilityProvider>::new(
        "theirs".to_owned(),
        account.public_key().to_string(),
        provider.public_key().to_string(),
        "vendor".to_owned(),
        Some(1),
        None,
        HashMap::from([("aarch64-macos".to_owned(), "AB".to_owned())]),
    )
    .encode(&nkey(&account))
    .unwrap();
    let read = verify_token::<ProviderMetadata>(&token).unwrap().metadata.unwrap();
    assert_eq!((read.vendor.as_str(), read.target_hashes["aarch64-macos"].as_str()), ("vendor", "AB"));
}

#[derive(Debug, Clone)]
enum Part {
    Custom { name: &'static str, data: Vec<u8>, padded: bool },
    Nested { component: bool, parts: Vec<Part>, padded: bool },
}

impl Part {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Part::Custom { name, data, padded } => custom(name, data, *padded),
            Part::Nested { component, parts, padded } => {
                let id = if *component { 4 } else { 1 };
                section(id, &wrap(*component, &all(*component, parts)), *padded)
            }
        }
    }
}

/// Only components nest.
fn all(component: bool, parts: &[Part]) -> Vec<u8> {
    parts
        .iter()
        .filter(|part| component || matches!(part, Part::Custom { .. }))
        .flat_map(Part::bytes)
        .collect()
}

fn part() -> impl Strategy<Value = Part> {
    let names = prop::sample::select(vec!["jwt", "wasmcloud_jwt", "name", "producers", "", "jwt2"]);
    let custom = (names, prop::collection::vec(any::<u8>(), 0..200), any::<bool>())
        .prop_map(|(name, data, padded)| Part::Custom { name, data, padded });
    custom.prop_recursive(4, 32, 6, |inner| {
        (any::<bool>(), prop::collection::vec(inner, 0..6), any::<bool>())
            .prop_map(|(component, parts, padded)| Part::Nested { component, parts, padded })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Sections with and without claims, padded or not, nested at will: both compute the same hash.
    #[test]
    fn hashes_are_equal_over_generated_files(component: bool, parts in prop::collection::vec(part(), 0..8)) {
        let wasm = wrap(component, &all(component, &parts));
        let (hash, signed) = sign_as_wascap(&wasm, &account(), &module_key());
        prop_assert_eq!(canonical_hash(&wasm).unwrap(), hash.clone());
        prop_assert_eq!(canonical_hash(&signed).unwrap(), hash);
    }
}
