//! Commands signed by a person: what a token says, that nothing of it can be changed, and that each is good for once.

use std::time::Instant;

use data_encoding::BASE64URL_NOPAD;
use lattice_claims::{
    COMMAND_AHEAD_MS, COMMAND_LIFE_MS, CommandError, CommandRequest, KeyKind, KeyPair, Seen, SignError,
    SignedCommand, sign_command, verify_command, verify_order,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000_123;
const SUBJECT: &str = "wasmbus.ctl.v1.default.link.put";

/// The user of the NATS documentation.
fn known_user() -> KeyPair {
    KeyPair::from_seed("SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY").unwrap()
}

fn user() -> KeyPair {
    KeyPair::generate(KeyKind::User)
}

fn link_put(body: &[u8]) -> CommandRequest<'_> {
    CommandRequest { lattice: "default", subject: SUBJECT, body }
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

/// The token with other claims under the old signature.
fn with_claims(token: &str, claims: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    format!("{}.{}.{}", parts[0], BASE64URL_NOPAD.encode(claims.as_bytes()), parts[2])
}

#[test]
fn the_claims_are_as_they_are_documented() {
    let token = sign_command(&link_put(b"{}"), &known_user(), NOW).unwrap();
    let mut claims = part(&token, 1);
    let nonce = claims["jti"].as_str().unwrap().to_owned();
    assert!(nonce.len() == 22 && nonce.bytes().all(|b| b.is_ascii_alphanumeric()), "{nonce}");
    claims["jti"] = json!("(22 characters)");
    insta::assert_json_snapshot!("command_claims", claims);
    assert_eq!(part(&token, 0), json!({"alg": "Ed25519", "typ": "jwt"}));
    let verified = verify_command(&token, &link_put(b"{}"), NOW).unwrap();
    let expected = SignedCommand { key: known_user().public_key().clone(), nonce, issued_ms: NOW };
    assert_eq!(verified, expected);
    assert_eq!(verify_order(&token, &link_put(b"{}")).unwrap(), expected);
}

#[test]
fn a_refusal_repeats_nothing_that_breaks_out_of_a_line() {
    let odd = CommandRequest { lattice: "default", subject: "a\x1b[2J\nb", body: b"" };
    let token = sign_command(&odd, &user(), NOW).unwrap();
    let error = verify_command(&token, &link_put(b""), NOW).unwrap_err();
    assert_eq!(error.to_string(), "its token is for another subject: a\u{fffd}[2J\u{fffd}b");
}

#[test]
fn only_users_sign_commands() {
    for kind in [KeyKind::Account, KeyKind::Operator, KeyKind::Host, KeyKind::Curve] {
        let error = sign_command(&link_put(b""), &KeyPair::generate(kind), NOW).unwrap_err();
        assert!(matches!(error, SignError::KeyKind { .. }), "{error}");
    }
}

#[test]
fn it_is_good_for_thirty_seconds_by_the_clock_of_whoever_checks() {
    let token = sign_command(&link_put(b"{}"), &user(), NOW).unwrap();
    for (at, code) in [
        (NOW, None),
        (NOW + COMMAND_LIFE_MS, None),
        (NOW + COMMAND_LIFE_MS + 1, Some("token-expired")),
        (NOW - COMMAND_AHEAD_MS, None),
        (NOW - COMMAND_AHEAD_MS - 1, Some("token-early")),
        (0, Some("token-early")),
        (u64::MAX, Some("token-expired")),
    ] {
        let checked = verify_command(&token, &link_put(b"{}"), at);
        assert_eq!(checked.as_ref().err().map(CommandError::code), code, "at {at}: {checked:?}");
        assert!(verify_order(&token, &link_put(b"{}")).is_ok());
    }
}

#[test]
fn no_character_of_a_token_can_be_changed() {
    let token = sign_command(&link_put(b"{}"), &user(), NOW).unwrap();
    for at in 0..token.len() {
        for other in ['A', 'B', 'w', '.', '-'] {
            let mut changed: Vec<char> = token.chars().collect();
            if changed[at] == other {
                continue;
            }
            changed[at] = other;
            let changed: String = changed.into_iter().collect();
            let checked = verify_command(&changed, &link_put(b"{}"), NOW);
            assert!(checked.is_err(), "character {at} as {other}: {checked:?}");
        }
    }
}

#[test]
fn of_another_form_it_is_malformed() {
    let token = sign_command(&link_put(b"{}"), &user(), NOW).unwrap();
    let claims = part(&token, 1);
    let without = |field: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(field);
        with_claims(&token, &claims.to_string())
    };
    let mut version = claims.clone();
    version["ctl"]["v"] = json!(2);
    let long = "A".repeat(5_000);
    for text in [
        "",
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        &long,
        &token[..token.len() - 1],
        &format!("{token}.x"),
        &without("iss"),
        &without("jti"),
        &without("iat"),
        &without("ctl"),
        &with_claims(&token, &version.to_string()),
        &with_claims(&token, "[]"),
        &with_claims(&token, "{"),
    ] {
        let error = verify_command(text, &link_put(b"{}"), NOW).unwrap_err();
        assert_eq!(error.code(), "token-malformed", "{text}: {error}");
    }
}

/// What one check costs, as a figure to look at: once an Ed25519 signature, once a hash.
#[test]
fn a_check_costs_less_than_a_millisecond_where_it_is_compiled_for_speed() {
    let (user, body) = (user(), vec![b'x'; 4_096]);
    let tokens: Vec<String> = (0..50).map(|_| sign_command(&link_put(&body), &user, NOW).unwrap()).collect();
    let start = Instant::now();
    for token in &tokens {
        verify_command(token, &link_put(&body), NOW).unwrap();
    }
    let each = start.elapsed() / 50;
    println!("one check of a signed command: {each:?}");
    assert!(each.as_millis() < 20, "{each:?}");
}

proptest! {
    #[test]
    fn whatever_is_changed_is_refused(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
        which in 0_usize..6,
    ) {
        let user = user();
        let token = sign_command(&link_put(&body), &user, NOW).unwrap();
        prop_assert!(verify_command(&token, &link_put(&body), NOW).is_ok());
        let flip = |bytes: &[u8]| {
            let mut bytes = if bytes.is_empty() { vec![0] } else { bytes.to_vec() };
            let index = at.index(bytes.len());
            bytes[index] ^= 1 << bit;
            bytes
        };
        // The request is another one than the token says.
        let flipped = |text: &str| String::from_utf8_lossy(&flip(text.as_bytes())).into_owned();
        let (lattice, subject, other) = (flipped("default"), flipped(SUBJECT), flip(&body));
        for request in [
            CommandRequest { lattice: &lattice, ..link_put(&body) },
            CommandRequest { subject: &subject, ..link_put(&body) },
            link_put(&other),
        ] {
            let error = verify_command(&token, &request, NOW).unwrap_err();
            prop_assert_eq!(error.code(), "token-mismatch");
        }
        // The token says something else than was signed, and the request agrees with it.
        let mut claims = part(&token, 1);
        let mut request = link_put(&body);
        let stranger = KeyPair::generate(KeyKind::User);
        match which {
            0 => {
                claims["ctl"]["lattice"] = json!(lattice);
                request.lattice = &lattice;
            }
            1 => {
                claims["ctl"]["subject"] = json!(subject);
                request.subject = &subject;
            }
            2 => {
                let signed = sign_command(&link_put(&other), &stranger, NOW).unwrap();
                claims["ctl"]["body"] = part(&signed, 1)["ctl"]["body"].clone();
                request.body = &other;
            }
            3 => claims["ctl"]["at"] = json!(NOW + 1 + u64::from(bit)),
            4 => claims["jti"] = json!(flipped("aaaaaaaaaaaaaaaaaaaaaa")),
            _ => claims["iss"] = json!(stranger.public_key()),
        }
        let error = verify_command(&with_claims(&token, &claims.to_string()), &request, NOW).unwrap_err();
        prop_assert!(matches!(error, CommandError::BadSignature { .. } | CommandError::Malformed { .. }), "{}", error);
    }

    #[test]
    fn any_token_is_read_or_refused(text in ".{0,200}", claims in "[ -~]{0,200}") {
        prop_assert!(verify_command(&text, &link_put(b""), NOW).is_err());
        let token = sign_command(&link_put(b""), &known_user(), NOW).unwrap();
        prop_assert!(verify_command(&with_claims(&token, &claims), &link_put(b""), NOW).is_err());
    }

    /// Commands come in any order, again and again, with clocks that jump, to a memory of any size: none is accepted twice.
    #[test]
    fn each_command_is_accepted_once_at_most(
        most in 1_usize..6,
        sent in proptest::collection::vec((0_usize..8, 0_u64..90_000, any::<bool>()), 0..80),
    ) {
        let key = user().public_key().clone();
        let command = |index: usize| SignedCommand {
            key: key.clone(),
            nonce: format!("nonce-{index:016}"),
            issued_ms: NOW + index as u64 * 9_000,
        };
        let mut seen = Seen::since(NOW, most);
        let mut accepted = [false; 8];
        for (index, clock, back) in sent {
            let now = if back { NOW - clock } else { NOW + clock };
            if seen.accept(&command(index), now).is_ok() {
                prop_assert!(!accepted[index], "{} twice", index);
                accepted[index] = true;
            }
            prop_assert!(seen.len() <= most);
        }
    }

    /// As long as nothing is full and no clock is set back, every new command is accepted, and every old one refused as such.
    #[test]
    fn a_new_command_is_always_accepted(gaps in proptest::collection::vec(0_u64..10_000, 1..60)) {
        let key = user().public_key().clone();
        let mut seen = Seen::since(NOW, 1_000);
        let mut now = NOW;
        for (index, gap) in gaps.into_iter().enumerate() {
            now += gap;
            let command = SignedCommand { key: key.clone(), nonce: format!("nonce-{index:016}"), issued_ms: now };
            prop_assert_eq!(seen.accept(&command, now), Ok(()));
            prop_assert_eq!(seen.accept(&command, now + COMMAND_LIFE_MS), Err(CommandError::Replayed));
        }
    }
}

#[test]
fn what_was_issued_before_the_memory_began_is_refused_and_a_full_one_takes_what_is_new() {
    let user = user();
    let command = |nonce: &str, issued_ms: u64| SignedCommand {
        key: user.public_key().clone(),
        nonce: nonce.to_owned(),
        issued_ms,
    };
    let mut seen = Seen::since(NOW, 2);
    let early = seen.accept(&command("early", NOW - 1_500), NOW).unwrap_err();
    assert_eq!(early, CommandError::BeforeStart { before_ms: 1_500 });
    assert!(early.to_string().contains("2 s before"), "{early}");
    for (nonce, at, expected) in [
        ("a", NOW, Ok(())),
        ("b", NOW + 1, Ok(())),
        ("c", NOW + 2, Ok(())),
        // The oldest made room: it, and what is as old, may have been used.
        ("a", NOW, Err(CommandError::Forgotten)),
        ("late", NOW, Err(CommandError::Forgotten)),
        ("c", NOW + 2, Err(CommandError::Replayed)),
        ("d", NOW + 2, Ok(())),
    ] {
        assert_eq!(seen.accept(&command(nonce, at), NOW + 3), expected, "{nonce}");
    }
    // Another person's nonce is another command.
    let other =
        SignedCommand { key: KeyPair::generate(KeyKind::User).public_key().clone(), ..command("d", NOW + 2) };
    assert_eq!(seen.accept(&other, NOW + 3), Ok(()));
}
