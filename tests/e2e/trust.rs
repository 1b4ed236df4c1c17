//! What a host starts, and what it refuses: every refusal says which and what mends it, in the event, in the
//! inventory and to whoever asked.

use std::{path::Path, time::Duration};

use data_encoding::BASE64URL_NOPAD;
use lattice_claims::{SignActor, embed_token, extract_token};
use lattice_control_interface::{
    ScaleComponentCommand,
    events::{ComponentScaleFailed, EventData as _},
};
use lattice_core::{EventName, HostId, LatticeName, State};
use lattice_nats::EventStream;
use lattice_tests::{Signer, Stage, now, wasm_of};

const HOUR: u64 = 3600;

/// Asks for a start that has to fail; the reason, which is everywhere the same.
async fn refused(stage: &Stage, host: &HostId, actor: &str, image: &Path) -> String {
    let names = [EventName::ComponentScaleFailed];
    let mut events =
        EventStream::subscribe(&stage.connection, &LatticeName::default(), &names).await.unwrap();
    let id: lattice_core::ActorId = actor.parse().unwrap();
    let command = ScaleComponentCommand::new(id.clone(), image.display().to_string(), 3);
    stage.client.scale_component(host, &command).await.unwrap();
    let failed = events
        .wait_for(Duration::from_secs(30), |event| {
            ComponentScaleFailed::read(event).filter(|failed| failed.component_id == id)
        })
        .await
        .unwrap();
    assert_eq!((&failed.host_id, failed.max_instances), (host, 3));
    let inventory = stage.client.get_host_inventory(host).await.unwrap();
    let shown = inventory.components.iter().find(|component| component.id == id).unwrap();
    assert_eq!(shown.state(), Some(State::Failed(failed.error.clone())));
    assert_eq!(shown.max_instances, 0, "what does not run has no instances");
    failed.error
}

/// The signed actor with `from` in its data turned into `to`: well-formed as before, and not what was signed.
fn altered(signed: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = signed.windows(from.len()).position(|window| window == from).expect("the text is in the actor");
    let mut altered = signed.to_vec();
    altered[at..at + to.len()].copy_from_slice(to);
    altered
}

/// One bit in the middle, which is code.
fn flipped(signed: &[u8]) -> Vec<u8> {
    let mut flipped = signed.to_vec();
    flipped[signed.len() / 2] ^= 1;
    flipped
}

fn terms() -> SignActor {
    SignActor { name: Some("hello".to_owned()), ..SignActor::default() }
}

#[tokio::test]
async fn what_is_not_signed_well_does_not_start() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    let (signer, wasm) = (&stage.signer, wasm_of("hello"));
    let good = std::fs::read(signer.example("hello")).unwrap();
    let stranger = Signer::new(stage.folder());
    let expired = SignActor { expires: Some(now() - HOUR), ..terms() };
    let early = SignActor { not_before: Some(now() + HOUR), ..terms() };
    let (sign, trust) = ("wash claims sign FILE --name NAME", format!("--trust {}", stranger.account()));
    for (actor, image, which, remedy) in [
        ("unsigned", signer.file("u.wasm", &wasm), "it is not signed", sign),
        (
            "data-changed",
            signer.file("d.wasm", &altered(&good, b"Hello from", b"Jello")),
            "changed after it was signed",
            sign,
        ),
        ("code-changed", signer.file("c.wasm", &flipped(&good)), "changed after it was signed", sign),
        ("stranger", stranger.signed("s.wasm", &wasm, &terms()), "is not trusted here", &trust),
        (
            "expired",
            signer.signed_at("e.wasm", &wasm, &expired, now() - 2 * HOUR),
            "its signature expired at",
            "--expires",
        ),
        ("early", signer.signed("n.wasm", &wasm, &early), "its signature is valid from", "without --nbf"),
    ] {
        let reason = refused(&stage, &id, actor, &image).await;
        assert!(reason.contains(which) && reason.contains(remedy), "{actor}: {reason}");
        assert!(reason.contains(&image.display().to_string()), "{actor}: {reason}");
        // Whoever asked by `wash` is told the same, and by exit code.
        let said = stage.wash(&["start", "actor", &image.display().to_string(), actor]).await;
        assert_eq!(said.code, 1, "{}", said.text);
        assert!(said.text.contains(which), "{actor}: {}", said.text);
    }
    // A name that failed is not spoilt: a good image under it starts.
    stage.start_actor(&id, "unsigned", &signer.example("hello"), 1).await.unwrap();
    let ready = stage.until(&id, |inventory| inventory.components.iter().any(|c| c.max_instances == 1)).await;
    let started = ready.components.iter().find(|component| component.id.as_str() == "unsigned").unwrap();
    assert_eq!(started.state(), Some(State::Ready));
    assert_eq!((started.signed, started.issuer.as_deref()), (Some(true), Some(signer.account())));
}

/// The signed actor with a token that says the same of the same issuer, and was signed by somebody else.
fn forged(signed: &[u8]) -> Vec<u8> {
    let token = extract_token(signed).unwrap().unwrap();
    let (said, _) = token.rsplit_once('.').unwrap();
    let signature = nkeys::KeyPair::new_account().sign(said.as_bytes()).unwrap();
    embed_token(signed, &format!("{said}.{}", BASE64URL_NOPAD.encode(&signature))).unwrap()
}

#[tokio::test]
async fn a_token_that_its_issuer_did_not_sign_is_refused() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&[]).await;
    let signer = &stage.signer;
    let good = std::fs::read(signer.example("hello")).unwrap();
    let image = signer.file("forged.wasm", &forged(&good));
    // Whom it names is trusted here.
    let reason = refused(&stage, &id, "hello", &image).await;
    let expected = format!(
        "image {} is refused: the signature is wrong: {} did not sign this token; sign it again: wash claims sign FILE --name NAME",
        image.display(),
        signer.account()
    );
    assert_eq!(reason, expected);
    let said = stage.wash(&["start", "actor", &image.display().to_string(), "hello"]).await;
    assert_eq!(said.code, 1, "{}", said.text);
    assert!(said.text.contains("the signature is wrong"), "{}", said.text);
}

#[tokio::test]
async fn a_clock_set_back_stops_no_actor() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "echo", 1).await;
    let future = stage.signer.signed_at("future.wasm", &wasm_of("hello"), &terms(), now() + HOUR);
    stage.start_actor(&id, "hello", &future, 1).await.unwrap();
    stage.link("http", "hello", "wasi:http", &[("address", &address), ("path", "/hello")]).await;
    stage.until_link(&id, "http", "hello", |state| *state == State::Ready).await;
    assert_eq!(stage.http.get(&format!("http://{address}/hello")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_bad_image_does_not_displace_the_one_that_runs() {
    let stage = Stage::set().await;
    let (_host, id, address) = stage.serving(&[], "hello", 1).await;
    let good = std::fs::read(stage.signer.example("hello")).unwrap();
    let bad = stage.signer.file("bad.wasm", &altered(&good, b"Hello from", b"Jello"));
    let mut update = ScaleComponentCommand::new("hello".parse().unwrap(), bad.display().to_string(), 1);
    update.allow_update = true;
    let reason = stage.scale(&id, &update).await.unwrap_err();
    assert!(reason.contains("changed after it was signed"), "{reason}");
    let inventory = stage.client.get_host_inventory(&id).await.unwrap();
    assert_eq!(inventory.components[0].state(), Some(State::Ready));
    assert_eq!(
        stage.http.get(&format!("http://{address}/")).await.unwrap().text(),
        "Hello from the lattice!\n"
    );
}

#[tokio::test]
async fn unsigned_actors_start_only_where_that_is_allowed_and_shown() {
    let stage = Stage::set().await;
    let (_host, id) = stage.host(&["--allow-unsigned"]).await;
    let signer = &stage.signer;
    let wasm = wasm_of("hello");
    stage.start_actor(&id, "hello", &signer.file("u.wasm", &wasm), 1).await.unwrap();
    let inventory = stage.client.get_host_inventory(&id).await.unwrap();
    assert_eq!(inventory.components[0].signed, Some(false));
    assert_eq!(inventory.components[0].issuer, None);

    // Every look at the host shows what it allows.
    let notice = "unsigned actors are allowed on this host of lattice default (--allow-unsigned)";
    assert_eq!(inventory.status, [notice]);
    assert_eq!(stage.hosts().await[0].notices, [notice]);
    for look in [&["get", "hosts"][..], &["ctl", "get", "hosts"], &["get", "inventory"]] {
        let said = stage.wash(look).await;
        assert!(said.code == 0 && said.text.contains(notice), "{look:?}: {}", said.text);
    }

    // Bad signatures are no missing signatures.
    let good = std::fs::read(signer.example("hello")).unwrap();
    let reason = refused(&stage, &id, "code-changed", &signer.file("c.wasm", &flipped(&good))).await;
    assert!(reason.contains("changed after it was signed"), "{reason}");
    let stranger = Signer::new(stage.folder()).signed("s.wasm", &wasm, &terms());
    let reason = refused(&stage, &id, "stranger", &stranger).await;
    assert!(reason.contains("is not trusted here"), "{reason}");
    let expired = SignActor { expires: Some(now() - HOUR), ..terms() };
    let expired = signer.signed_at("e.wasm", &wasm, &expired, now() - 2 * HOUR);
    let reason = refused(&stage, &id, "expired", &expired).await;
    assert!(reason.contains("its signature expired at"), "{reason}");
}

#[tokio::test]
async fn a_host_that_trusts_nobody_says_so_and_starts_nothing() {
    let stage = Stage::set().await;
    let cache = stage.folder().join("cache");
    let (_host, id) = stage.host_with(vec!["--cache-dir".into(), cache.into()]).await;
    let reason = refused(&stage, &id, "hello", &stage.signer.example("hello")).await;
    assert!(reason.contains(&format!("--trust {}", stage.signer.account())), "{reason}");
    let notice = "no issuer is trusted, so no actor will start; name one with --trust ACCOUNT, or for all hosts: wash trust \
                  add ACCOUNT";
    assert_eq!(stage.hosts().await[0].notices, [notice]);
    // Once the lattice names somebody, that is over.
    let said = stage.wash(&["trust", "add", stage.signer.account()]).await;
    assert_eq!(said.code, 0, "{}", said.text);
    assert!(stage.hosts().await[0].notices.is_empty());
    stage.start_actor(&id, "hello", &stage.signer.example("hello"), 1).await.unwrap();
}

/// A command about trust, as it is typed; what it says.
async fn trust(stage: &Stage, args: &[&str]) -> String {
    let said = stage.wash(&[&["trust"], args].concat()).await;
    assert_eq!(said.code, 0, "wash trust {args:?}: {}", said.text);
    said.text
}

#[tokio::test]
async fn what_the_lattice_trusts_starts_on_every_host_and_what_it_revokes_on_none() {
    let stage = Stage::set().await;
    let (_one, one, address) = stage.serving(&[], "hello", 1).await;
    let (mut two_host, two) = stage.host(&[]).await;
    let friend = Signer::new(stage.folder());
    let image = friend.signed("friend.wasm", &wasm_of("hello"), &terms());
    let account = friend.account();

    // A stranger first, then a friend of the whole lattice.
    for host in [&one, &two] {
        let reason = refused(&stage, host, "early", &image).await;
        assert!(reason.contains(&format!("wash trust add {account}")), "{reason}");
    }
    let said = trust(&stage, &["add", account]).await;
    assert!(said.contains("is trusted in lattice default"), "{said}");
    for host in [&one, &two] {
        stage.start_actor(host, "friend", &image, 1).await.unwrap();
    }
    assert!(trust(&stage, &["add", account]).await.contains("nothing changed"));

    // The list says where each comes from.
    let own = stage.signer.account();
    let listed = stage.wash(&["trust", "list", "-o", "json"]).await.json();
    let rows = listed["trust"].as_array().unwrap();
    let from = |key: &str| {
        let of_key = rows.iter().filter(|row| row["key"] == key && row["standing"] == "trusted");
        of_key.map(|row| row["from"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (from(account), from(own)),
        (vec!["lattice".to_owned()], vec!["flag".to_owned(); 2]),
        "{listed}"
    );
    let row = rows.iter().find(|row| row["key"] == account).unwrap();
    let through = row["through"].as_str().unwrap();
    assert!(row["at"].as_str().unwrap().ends_with('Z') && [one.as_str(), two.as_str()].contains(&through));

    // Revoked, it starts nowhere from the moment on at which the command returns; what runs goes on, and is seen.
    trust(&stage, &["del", account]).await;
    for host in [&one, &two] {
        let reason = refused(&stage, host, "late", &image).await;
        assert!(reason.contains("was revoked in this lattice"), "{reason}");
        stage.until(host, |inventory| {
            let mut friends = inventory.components.iter().filter(|actor| actor.id.as_str() == "friend");
            friends.any(|actor| matches!(actor.state(), Some(State::Degraded(why)) if why.contains("was revoked at")))
        })
        .await;
    }
    // Also whom the hosts' own flags name.
    trust(&stage, &["del", own]).await;
    for host in [&one, &two] {
        let reason = refused(&stage, host, "late", &stage.signer.example("hello")).await;
        assert!(reason.contains("was revoked in this lattice"), "{reason}");
    }
    assert_eq!(stage.http.get(&format!("http://{address}/")).await.unwrap().status, 200, "what runs goes on");

    // A host that starts anew starts nothing of it, either, until the lattice takes its word back.
    two_host.process.kill();
    two_host.again(&[]).await.unwrap();
    let failed = |why: &str| matches!(why.split_once("was revoked"), Some((_, rest)) if rest.contains("wash trust add"));
    stage
        .until(&two, |inventory| {
            let mut friends = inventory.components.iter().filter(|actor| actor.id.as_str() == "friend");
            friends.any(|actor| matches!(actor.state(), Some(State::Failed(why)) if failed(&why)))
        })
        .await;
    let said = trust(&stage, &["del", own, "--forget"]).await;
    assert!(said.contains("flags name it"), "{said}");
    for host in [&one, &two] {
        stage.start_actor(host, "late", &stage.signer.example("hello"), 1).await.unwrap();
    }
}

#[tokio::test]
async fn a_signing_key_signs_for_its_account_while_it_is_named() {
    let stage = Stage::set().await;
    let ((_one, one), (_two, two)) = (stage.host(&[]).await, stage.host(&[]).await);
    let signing = Signer::new(stage.folder());
    let image = signing.signed("signing.wasm", &wasm_of("hello"), &terms());
    let (key, account) = (signing.account(), stage.signer.account());

    let reason = refused(&stage, &one, "hello", &image).await;
    assert!(reason.contains("is not trusted here"), "{reason}");
    let said = trust(&stage, &["add", key, "--account", account]).await;
    assert!(said.contains("signs for account") && said.contains("whose flags name the account"), "{said}");
    for host in [&one, &two] {
        stage.start_actor(host, "hello", &image, 1).await.unwrap();
    }
    // Without the key, its account goes on; without the account, so does no key.
    trust(&stage, &["del", key]).await;
    for host in [&one, &two] {
        let reason = refused(&stage, host, "again", &image).await;
        assert!(reason.contains(&format!("its issuer {key} was revoked")), "{reason}");
        stage.start_actor(host, "own", &stage.signer.example("hello"), 1).await.unwrap();
    }
    trust(&stage, &["add", key, "--account", account]).await;
    trust(&stage, &["del", account]).await;
    for host in [&one, &two] {
        let reason = refused(&stage, host, "again", &image).await;
        assert!(reason.contains(&format!("account {account}, for which its issuer {key} signs")), "{reason}");
    }

    // What is no key is refused before anything is written.
    let broken = format!("{}A", &key[..55]);
    let broken = if broken == key { format!("{}B", &key[..55]) } else { broken };
    let said = stage.wash(&["trust", "add", &broken]).await;
    assert!(said.code == 1 && said.text.contains("damaged"), "{}", said.text);
    let said = stage.refused("trust.put", format!(r#"{{"key":"{key}","account":"{key}"}}"#)).await;
    assert!(said.contains("cannot sign for itself"), "{said}");
}
