use std::{collections::BTreeMap, time::Duration};

use super::{errors, parse};
use crate::{NamedConfig, Plan};

fn plan(text: &str) -> Plan {
    match parse(text) {
        Ok(manifest) => manifest.plan().clone(),
        Err(errors) => panic!("{errors}"),
    }
}

fn config<'p>(plan: &'p Plan, name: &str) -> &'p BTreeMap<String, String> {
    let found = plan.configs.iter().find(|config| config.name.as_str() == name);
    &found.unwrap_or_else(|| panic!("no {name} in {:?}", plan.configs)).values
}

const FULL: &str = "
app: shop
labels: { zone: lab }
configs:
  web: { address: 127.0.0.1:8080 }
providers:
  - name: http
    image: builtin://http-server
  - name: kv
    image: builtin://keyvalue-nats
    config: { bucket: shop }
actors:
  - name: cart
    image: ../.lattice/actors/cart_s.wasm
    replicas: 3
    concurrency: 20
    queue: 0
    reuse: 128
    limits: { memory: 64MiB, cpu: 500ms, wall: 1m }
    config: { greeting: hi, version: 1.10, on: yes }
  - name: plain
    image: ${REGISTRY}/plain:${VERSION}
links:
  - from: http
    to: cart
    contract: wasi:http
    config: { address: 127.0.0.1:8080, path: /cart }
  - from: http
    to: plain
    contract: wasi:http
    interfaces: [incoming-handler]
    name: second
    distance: local
    source_config: web
  - from: cart
    to: kv
    contract: wasi:keyvalue
    config: [web, other]
";

#[test]
fn a_manifest_becomes_a_plan() {
    let manifest = parse(FULL).unwrap();
    let plan = manifest.plan();
    assert_eq!(manifest.app().as_str(), "shop");
    assert_eq!(manifest.labels().0["zone"], "lab");
    let cart = &plan.actors[0];
    assert_eq!(cart.image.to_string(), "file:///srv/.lattice/actors/cart_s.wasm");
    assert_eq!((cart.replicas, cart.concurrency, cart.queue, cart.reuse), (3, 20, Some(0), 128));
    assert_eq!(plan.actors[1].queue, None);
    assert_eq!(cart.limits.memory_bytes, Some(64 << 20));
    assert_eq!(cart.limits.cpu, Some(Duration::from_millis(500)));
    assert_eq!(cart.limits.wall, Some(Duration::from_secs(60)));
    assert_eq!(plan.actors[1].image.to_string(), "localhost:5000/plain:1.10");
    assert_eq!((plan.actors[1].replicas, plan.actors[1].concurrency, plan.actors[1].reuse), (1, 100, 1));
    assert_eq!(config(plan, "shop/cart")["version"], "1.10");
    assert_eq!(config(plan, "shop/cart")["on"], "yes");
    assert_eq!(config(plan, "shop/kv")["bucket"], "shop");
    assert_eq!(plan.providers[1].config[0].as_str(), "shop/kv");
    let links: Vec<_> = plan.links.iter().map(|link| link.key().unwrap().to_string()).collect();
    insta::assert_debug_snapshot!(links, @r#"
    [
        "http -> cart (wasi:http)",
        "http -> plain (wasi:http, link second)",
        "cart -> kv (wasi:keyvalue)",
    ]
    "#);
    assert_eq!(plan.links[0].source_config[0].as_str(), "shop/http/cart/wasi/http/default/source");
    assert_eq!(config(plan, "shop/http/cart/wasi/http/default/source")["path"], "/cart");
    assert_eq!(plan.links[1].source_config[0].as_str(), "web");
    let far: Vec<_> = plan.links.iter().map(|link| link.distance.as_str()).collect();
    assert_eq!(far, ["prefer-local", "local", "prefer-local"]);
    assert_eq!(plan.links[2].target_config.len(), 2);
    let notes: Vec<_> = manifest.notes().iter().map(ToString::to_string).collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("config other is not in this file"), "{notes:?}");
}

#[test]
fn mappings_and_the_words_of_link_put_mean_the_same() {
    let one = plan(
        "app: a\nproviders:\n  - {name: http, image: 'builtin://http-server'}\nactors:\n  - {name: x, image: ./x.wasm}\n\
         links:\n  - {from: http, to: x, contract: wasi:http, config: {path: /x}}\n",
    );
    let other = plan(
        "name: a\nproviders:\n  http: {image: 'builtin://http-server'}\nactors:\n  x: {image: ./x.wasm}\n\
         links:\n  - {source: http, target: x, contract: wasi:http, source_config: {path: /x}}\n",
    );
    assert_eq!(one, other);
}

#[test]
fn secrets_are_named_and_turned_with_their_link() {
    let plan = plan(
        "app: a\nproviders:\n  - {name: http, image: 'builtin://http-server'}\n  - {name: out, image: 'builtin://http-client'}\n\
         actors:\n  - {name: echo, image: ./x.wasm, secrets: [token, key, token]}\n  - {name: y, image: ./y.wasm, secrets: one}\n\
         links:\n  - {from: echo, to: out, contract: wasi:http, target_secrets: [token]}\n\
         \x20 - {from: echo, to: http, contract: 'wasmcloud:httpserver', target_secrets: cert}\n",
    );
    let names = |names: &[lattice_core::SecretName]| {
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let of_actors: Vec<_> = plan.actors.iter().map(|actor| names(&actor.secrets)).collect();
    assert_eq!(of_actors, ["token key", "one"]);
    assert_eq!(
        (names(&plan.links[0].source_secrets), names(&plan.links[0].target_secrets)),
        ("".into(), "token".into())
    );
    // In 2021 the actor came first; the secret stays with the end that it was written for.
    assert_eq!(
        (names(&plan.links[1].source_secrets), plan.links[1].source.as_str()),
        ("cert".into(), "http")
    );
    let refused =
        parse("app: a\nactors:\n  - {name: x, image: ./x.wasm, secrets: {token: hunter2}}\n").unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("names secrets and does not hold them") && !text.contains("hunter2"), "{text}");
}

#[test]
fn contracts_of_2021_bring_their_direction_and_their_keys() {
    let plan = plan(
        "app: a\nproviders:\n  - {name: http, image: 'builtin://http-server'}\n  - {name: kv, image: 'builtin://keyvalue-nats'}\n\
         actors:\n  - {name: echo, image: ./x.wasm}\n\
         links:\n  - {from: echo, to: http, contract: 'wasmcloud:httpserver', config: {PORT: 8080}}\n\
         \x20 - {from: echo, to: kv, contract: 'wasmcloud:keyvalue'}\n",
    );
    let keys: Vec<_> = plan.links.iter().map(|link| link.key().unwrap().to_string()).collect();
    assert_eq!(keys, ["http -> echo (wasi:http)", "echo -> kv (wasi:keyvalue)"]);
    assert_eq!(
        plan.configs,
        [NamedConfig {
            name: "a/http/echo/wasi/http/default/source".parse().unwrap(),
            values: BTreeMap::from([("address".into(), "0.0.0.0:8080".into())]),
        }]
    );
}

#[test]
fn ends_elsewhere_are_noted_and_typing_errors_guessed() {
    let manifest = parse("app: a\nactors:\n  - {name: hello, image: ./x.wasm}\nlinks:\n  - {from: hello2, to: kv, contract: wasi:keyvalue}\n").unwrap();
    let notes: Vec<_> = manifest.notes().iter().map(ToString::to_string).collect();
    insta::assert_debug_snapshot!(notes, @r#"
    [
        "line 5: hello2 is not in this file (did you mean hello?); the link is pending until it runs somewhere",
        "line 5: kv is not in this file; the link is pending until it runs somewhere",
    ]
    "#);
}

#[test]
fn long_names_of_configurations_are_cut_and_stay_distinct() {
    let id = |c: &str| c.repeat(100);
    let text = |to: &str| {
        format!(
            "app: {}\nlinks:\n  - {{from: {}, to: {to}, contract: wasi:http, source_config: {{a: b}}}}\n",
            id("a"),
            id("b")
        )
    };
    let (one, other) = (plan(&text(&id("c"))), plan(&text(&id("d"))));
    assert_eq!(one.configs[0].name.as_str().len(), 128);
    assert_ne!(one.configs[0].name, other.configs[0].name);
}

#[test]
fn the_least_manifest() {
    assert_eq!(plan("app: a\n"), Plan::default());
    assert_eq!(plan("app: a\nactors:\nlinks: []\n"), Plan::default());
    assert!(errors("").contains("mapping"));
}
