//! Signed commands. A byte says what the rest is: a token as it stands; the body of one, perhaps with a line `header` in front, in
//! which `$KEY` is a user's key, and which that key signs; a lattice, a subject and a body, a line each, that are signed and sent
//! otherwise; or changes to a good token, three bytes each.
#![no_main]

use std::sync::LazyLock;

use data_encoding::BASE64URL_NOPAD;
use lattice_claims::{
    COMMAND_AHEAD_MS, COMMAND_LIFE_MS, CommandError, CommandRequest, KeyKind, KeyPair, SEEN_MAX, Seen,
    SignedCommand, sign_command, verify_command, verify_order,
};
use lattice_fuzz::{bounded, text, told};
use libfuzzer_sys::fuzz_target;

const NOW_MS: u64 = 1_800_000_000_000;
const REQUEST: CommandRequest<'static> =
    CommandRequest { lattice: "default", subject: "wasmbus.ctl.v1.default.link.put", body: b"{}" };

static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeyKind::User));
static GOOD: LazyLock<String> =
    LazyLock::new(|| sign_command(&REQUEST, &KEY, NOW_MS).expect("a user's key signs"));

fuzz_target!(|data: &[u8]| bounded(data, 256, read));

fn read(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    match which % 4 {
        0 => drop(text(rest).map(judged)),
        1 => drop(text(rest).map(anybodys)),
        2 => sent_otherwise(rest),
        _ => changed(rest),
    }
}

/// The command, if the token is good for the request.
fn judged(token: &str) -> Option<SignedCommand> {
    let order = verify_order(token, &REQUEST);
    match verify_command(token, &REQUEST, NOW_MS) {
        Ok(command) => {
            assert_eq!(order.as_ref(), Ok(&command), "what is good now was good then");
            let at = command.issued_ms;
            assert!(at <= NOW_MS + COMMAND_AHEAD_MS && NOW_MS <= at + COMMAND_LIFE_MS);
            Some(command)
        }
        Err(error) => {
            told(&error);
            let _ = (error.code(), error.remedy());
            let of_time = matches!(error, CommandError::Expired { .. } | CommandError::Early { .. });
            assert!(order.is_err() || of_time, "{error}");
            None
        }
    }
}

/// Whoever has a key signs what they like.
fn anybodys(given: &str) {
    let (header, body) = given.split_once('\n').unwrap_or((r#"{"typ":"jwt","alg":"Ed25519"}"#, given));
    let body = body.replace("$KEY", KEY.public_key().as_str());
    let said =
        format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(body.as_bytes()));
    let key = nkeys::KeyPair::from_seed(KEY.seed().expose()).expect("it is a seed");
    let signature = key.sign(said.as_bytes()).expect("it has a seed");
    if let Some(command) = judged(&format!("{said}.{}", BASE64URL_NOPAD.encode(&signature))) {
        assert_eq!(&command.key, KEY.public_key());
    }
    assert_eq!(judged(&format!("{said}.{}", BASE64URL_NOPAD.encode(&[7; 64]))), None, "nobody's signature");
}

fn sent_otherwise(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (lattice, subject, body) = (line(), line(), line());
    let (Some(lattice), Some(subject)) = (text(lattice), text(subject)) else { return };
    let request = CommandRequest { lattice, subject, body };
    // What is too long is not signed.
    let Ok(token) = sign_command(&request, &KEY, NOW_MS) else { return };
    let command = verify_command(&token, &request, NOW_MS).expect("it was signed just now");
    let mut seen = Seen::since(0, SEEN_MAX);
    assert_eq!(seen.accept(&command, NOW_MS), Ok(()));
    assert_eq!(seen.accept(&command, NOW_MS), Err(CommandError::Replayed));
    let (other_lattice, other_subject) = (format!("{lattice}x"), format!("{subject}x"));
    let other_body = [body, b"x"].concat();
    for other in [
        CommandRequest { lattice: &other_lattice, ..request },
        CommandRequest { subject: &other_subject, ..request },
        CommandRequest { body: &other_body, ..request },
    ] {
        told(verify_command(&token, &other, NOW_MS).expect_err("it is for another request"));
    }
    for when in [NOW_MS + COMMAND_LIFE_MS + 1, NOW_MS - COMMAND_AHEAD_MS - 1] {
        told(verify_command(&token, &request, when).expect_err("it is not the time"));
    }
}

fn changed(changes: &[u8]) {
    let mut token = GOOD.clone().into_bytes();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % token.len();
        token[at] = change[2];
    }
    if let Some(token) = text(&token)
        && judged(token).is_some()
    {
        assert_eq!(token, *GOOD, "this was signed, in this spelling");
    }
}
