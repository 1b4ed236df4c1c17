use miette::{GraphicalReportHandler, GraphicalTheme};

use super::{errors, parse};

#[test]
fn fields() {
    insta::assert_snapshot!(errors("app: a\nactors:\n  - name: x\n    imgae: ./x.wasm\n    concurency: 3\n  - image: ./y.wasm\n    placement: 1\nlink: []\n"), @r#"
    app.yaml:3:5: an actor needs the field "image"
    app.yaml:4:5: an actor has no field "imgae"; did you mean "image"?
    app.yaml:5:5: an actor has no field "concurency"; did you mean "concurrency"?
    app.yaml:6:5: an actor needs the field "name"
    app.yaml:7:5: an actor has no field "placement"; its fields are name, image, replicas, concurrency, queue, reuse, limits, config, secrets
    app.yaml:8:1: the manifest has no field "link"; did you mean "links"?
    "#);
}

#[test]
fn values() {
    insta::assert_snapshot!(errors(
        "app: [a]\nactors:\n  - name: a b\n    image: hello\n    concurrency: many\n    reuse: 0\n    limits: { memory: 1TB, cpu: 0s, wall: {} }\n    config: { a: { b: c }, d: ~ }\n  - x\n"
    ), @"app.yaml:9:5: this is a host manifest of 2021, which is not read here; capabilities became providers, actors have names (`- name: echo` and `image: …`), and links say `from`, `to` and `contract` by those names; docs/manifest.md puts both side by side");
    insta::assert_snapshot!(errors(
        "app: a\nactors:\n  - name: a\n    image: hello\n    concurrency: many\n    queue: -1\n    reuse: 0\n    limits: { memory: 1TB, cpu: 0s, wall: {} }\n    config: { a: { b: c }, d: ~ }\nproviders: 3\nlabels: { hostcore.os: plan9 }\n"
    ), @r#"
    app.yaml:4:12: "hello" names no registry; write host[:port]/repository[:tag], a path that starts with ./ or /, or builtin://NAME
    app.yaml:5:18: "concurrency": a whole number from 1 to 1000000 is wanted here
    app.yaml:6:12: "queue": a whole number from 0 to 65536 is wanted here
    app.yaml:7:12: "reuse": a whole number from 1 to 1000000 is wanted here
    app.yaml:8:23: "memory": a size is a number and KiB, MiB, GiB, kB, MB or GB, as in 256MiB
    app.yaml:8:33: "cpu": must be more than nothing
    app.yaml:8:43: "wall" wants a single value, not a mapping
    app.yaml:9:18: "a" wants a single value, not a mapping
    app.yaml:9:28: "d" wants a single value, not nothing
    app.yaml:10:12: "a provider" wants a list of items with a name, or a mapping from names, not a single value
    app.yaml:11:11: label "hostcore.os" is set by the host itself; choose a key that does not start with `hostcore.`
    "#);
}

#[test]
fn names() {
    insta::assert_snapshot!(errors(
        "app: a\nproviders:\n  - {name: x, image: 'builtin://http-server'}\nactors:\n  - {name: x, image: ./x.wasm}\n  - {name: a/b, image: ./x.wasm}\n\
         \x20 - {name: MAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA, image: ./x.wasm}\n"
    ), @r#"
    app.yaml:5:12: the name "x" stands here twice; it was first on line 3
    app.yaml:6:12: actor or provider id "a/b" holds '/'; allowed are letters, digits, `_` and `-`
    app.yaml:7:12: "MAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" is a key; a manifest names its actors and providers; give it a name of your own, as in `name: hello`, and use that in links
    "#);
}

#[test]
fn images() {
    insta::assert_snapshot!(errors(
        "app: a\nproviders:\n  - {name: p, image: ./x.wasm}\n  - {name: q, image: 'builtin://redis'}\n\
         actors:\n  - {name: x, image: 'builtin://http-server'}\n  - {name: y, image: ~/x.wasm}\n  - {name: z, image: examples/hello}\n"
    ), @r#"
    app.yaml:3:22: a provider cannot be a wasm file; a wasm file is an actor: move it to actors. A provider is builtin://NAME or an archive
    app.yaml:4:22: there is no built-in provider "redis"; there are builtin://http-server, builtin://http-client, builtin://keyvalue-nats
    app.yaml:6:22: builtin://http-server is a provider, not an actor; move it to providers
    app.yaml:7:22: `~` is not the home folder here; write the path, or use `${HOME}/…`
    app.yaml:8:22: "examples/hello" names no registry; write host[:port]/repository[:tag], a path that starts with ./ or /, or builtin://NAME
    "#);
}

#[test]
fn links() {
    insta::assert_snapshot!(errors(
        "app: a
providers:
  - {name: http, image: 'builtin://http-server'}
  - {name: kv, image: 'builtin://keyvalue-nats'}
actors:
  - {name: x, image: ./x.wasm}
  - {name: y, image: ./y.wasm}
links:
  - {from: http, to: kv, contract: wasi:http}
  - {from: x, to: http, contract: wasi:http}
  - {from: kv, to: x, contract: wasi:keyvalue}
  - {from: x, to: kv, contract: wasi:http}
  - {from: x, to: kv, contract: keyvalue}
  - {from: x, to: kv, contract: wasmcloud:blobstore}
  - {from: x, to: elsewhere, contract: wasi:logging}
  - {from: x, to: x, contract: a:b}
  - {from: x, to: y, contract: a:b, config: {a: b}}
  - {from: x, to: kv, contract: wasi:keyvalue, interfaces: [stroe, atomics]}
  - {from: x, to: kv, contract: wasi:keyvalue}
  - {from: x, to: kv, contract: wasi:keyvalue}
  - {from: x, to: kv2, contract: wasi:keyvalue}
  - {from: x, contract: wasi:keyvalue, values: {}}
  - {from: http, to: x, contract: wasi:http, config: {a: b}, source_config: {c: d}}
  - {from: y, to: kv, contract: wasi:keyvalue, distance: near}
"
    ), @r#"
    app.yaml:9:22: http and kv are both providers; a link has an actor at one end at least
    app.yaml:10:19: http calls actors, not the other way round; write from: http and to: x
    app.yaml:11:12: kv is called by actors, not the other way round; write from: x and to: kv
    app.yaml:12:33: kv serves wasi:keyvalue, not wasi:http
    app.yaml:13:33: "keyvalue" is not a contract; write namespace:package, as in wasi:keyvalue
    app.yaml:14:33: wasmcloud:blobstore is a contract of 2021 that has no name of today; write the WIT package that the actor imports or exports, as in wasi:keyvalue
    app.yaml:15:40: wasi:logging needs no link: every host serves it to its actors; take the link out
    app.yaml:16:32: x cannot be linked to itself
    app.yaml:17:37: config is for the provider's end of a link, and here neither end is known to be one; write source_config or target_config instead
    app.yaml:18:61: "interfaces": wasi:keyvalue has no interface "stroe"; did you mean "store"?
    app.yaml:19:33: the link x -> kv (wasi:keyvalue) stands here twice; it was first on line 18; give one of them another name
    app.yaml:20:33: the link x -> kv (wasi:keyvalue) stands here twice; it was first on line 18; give one of them another name
    app.yaml:21:34: x would call both kv (line 18) and kv2 through link default of wasi:keyvalue; give one of the links another name, or list interfaces that do not overlap
    app.yaml:22:5: a link needs the field "to"
    app.yaml:22:40: a link has no field "values"; its fields are from, to, contract, interfaces, name, distance, config, source_config, target_config, source_secrets, target_secrets
    app.yaml:23:46: "config" and "source_config" mean the same; keep one
    app.yaml:24:58: "near" is not a distance; there are local, prefer-local (as if none were given) and lattice
    "#);
}

#[test]
fn variables() {
    insta::assert_snapshot!(errors("app: a\nactors:\n  - name: x\n    image: ${REGISTRY:localhost:5000}/x:1 # here\n"), @"app.yaml:4:12: `${REGISTRY:localhost:5000}` is how a default was written in 2021; write: image: ${REGISTRY:-localhost:5000}/x:1 # here");
    insta::assert_snapshot!(errors("app: a\nactors:\n  - name: x\n    image: \"${REGISTRY}/x:1\"\n"), @"app.yaml:4:12: a variable in quotes is not filled in; write it without quotes: image: ${REGISTRY}/x:1");
    insta::assert_snapshot!(errors("app: a-${1}\n"), @"app.yaml:1:6: this is not the form of a variable; write ${NAME}, ${NAME:-default} or ${NAME:?message}");
    insta::assert_snapshot!(errors("app: ${NOPE}\n"), @"app.yaml:1:6: the variable NOPE has no value; set NOPE in the environment, or give it a default: ${NOPE:-default}");
    insta::assert_snapshot!(errors("app: ${NOPE:?the name of the app}\n"), @"app.yaml:1:6: the variable NOPE has no value: the name of the app; set NOPE in the environment, or give it a default: ${NOPE:-default}");
    insta::assert_snapshot!(errors("app: ${NOPE:-a}\n${NOPE:-b}: x\n"), @"app.yaml:2:1: variables are filled in in values, not in names of fields");
}

#[test]
fn what_a_variable_holds_is_not_shown() {
    let text = errors(
        "app: ${SECRET}\nactors:\n  - {name: ${SECRET}, image: ${SECRET}, reuse: ${SECRET}}\n  - name: ${SECRET}\n    image: ${SECRET}\n    reuse: ${SECRET}\n",
    );
    assert!(!text.contains("hunter"), "{text}");
    let text = errors(
        "app: ${SECRET}\nactors:\n  - name: ${SECRET}\n    image: ${SECRET}\n    reuse: ${SECRET}\n    limits: {memory: 1}\n",
    );
    assert!(!text.contains("hunter"), "{text}");
    insta::assert_snapshot!(text, @"
    app.yaml:1:6: `${SECRET}`, once its variables are filled in, is not a name
    app.yaml:3:11: `${SECRET}`, once its variables are filled in, is not a name
    app.yaml:4:12: `${SECRET}`, once its variables are filled in, is not an image reference
    app.yaml:5:12: `${SECRET}`, once its variables are filled in, is not such a number
    ");
}

#[test]
fn yaml() {
    insta::assert_snapshot!(errors("app: a\nactors:\n\t- name: a\n"), @"app.yaml:3:2: tabs disallowed within this context (block indentation); indent with blanks");
    insta::assert_snapshot!(errors("app: a\napp: b\n"), @"app.yaml:2:1: app stands here twice; keep one of the two");
    insta::assert_snapshot!(errors("app: [a\n"), @"app.yaml:1:6: unclosed bracket '['; close it, or put the text in quotes");
    insta::assert_snapshot!(errors("app: a\n---\napp: b\n"), @"app.yaml:2:1: a manifest is one YAML document; `---` starts a second one");
}

#[test]
fn other_manifests_are_named() {
    insta::assert_snapshot!(errors(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: x}\nspec: {components: []}\n"
    ), @"app.yaml:1:1: this is a wadm manifest (OAM, kind Application), which is not read here; write it as app, actors, providers and links; docs/manifest.md shows each part. A wadm that runs beside the lattice can still deploy the file as it is");
    for text in [
        "actors: [ \"registry.example/echo:0.2.0\" ]\n",
        "capabilities:\n  - image_ref: registry.example/httpserver:0.11.1\n",
        "links:\n  - actor: M\n    provider_id: V\n    contract_id: wasmcloud:httpserver\n",
    ] {
        assert!(errors(text).contains("a host manifest of 2021"), "{text}");
    }
}

/// As a terminal shows them.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::none()).with_width(100);
    handler.render_report(&mut shown, &parse(text).unwrap_err().into_labelled()).unwrap();
    shown
}

#[test]
fn errors_of_yaml_are_labelled_where_they_are() {
    let shown_at = |text: &str, place: &str| {
        let shown = shown(text);
        assert!(shown.contains(place), "{place} in {shown}");
    };
    shown_at("app: a\nactors:\n\t- name: a\n", "app.yaml:3:2");
    shown_at("app: [a\n", "app.yaml:1:6");
    shown_at("app: a\nactors:\n  - name: x\n    image: \"./x.wasm\n", "app.yaml:5:1");
    shown_at("# ä\napp: ü: b\n", "app.yaml:2:");
}

#[test]
fn of_a_line_as_long_as_the_file_only_the_place_is_shown() {
    let long = "ä".repeat(50_000);
    for (text, place) in [
        (format!("app: a\nactors:\n  - name: x\n    image: {long}\nx: y\n"), "app.yaml:4:12"),
        (format!("app: a\nactors: [{{name: x, note: {long}, image: nowhere}}]\n"), "app.yaml:2:"),
        (format!("app: a\n{long}: b\n"), "app.yaml:2:1"),
    ] {
        let shown = shown(&text);
        assert!(shown.len() < 5_000 && shown.contains(place), "{} bytes: {shown:.2000}", shown.len());
        assert!(errors(&text).len() < 5_000);
    }
}

#[test]
fn errors_are_labelled_in_the_text() {
    let errors = parse("app: a\nactors:\n  - name: x\n    imgae: ./x.wasm\n").unwrap_err().into_labelled();
    let mut shown = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::none()).with_width(100);
    handler.render_report(&mut shown, &errors).unwrap();
    insta::assert_snapshot!(shown, @r#"
      x app.yaml has 2 errors

    Error: 
      x an actor needs the field "image"
       ,-[app.yaml:3:5]
     2 | actors:
     3 |   - name: x
       :     ^
       :     `-- here
     4 |     imgae: ./x.wasm
       `----

    Error: 
      x an actor has no field "imgae"
       ,-[app.yaml:4:5]
     3 |   - name: x
     4 |     imgae: ./x.wasm
       :     ^^|^^
       :       `-- here
       `----
      help: did you mean "image"?
    "#);
}
