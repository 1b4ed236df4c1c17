//! Where a secret comes from: a prompt without echo, standard input, or a file. Never the command line, which every user of the
//! machine can read.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read},
    path::Path,
};

use lattice_core::{SECRET_BYTES_MAX, Secret};
use zeroize::Zeroizing;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
};

/// Reads it; `bytes` takes it as it is, even where it is text.
pub(super) fn read(name: &str, file: Option<&Path>, bytes: bool) -> Outcome<Secret> {
    let value = match file {
        Some(path) => whole(File::open(path).map_err(|error| cannot(&path.display().to_string(), &error))?)
            .map_err(|error| cannot(&path.display().to_string(), &error))?,
        None if io::stdin().is_terminal() => prompt(name)?,
        None => whole(io::stdin()).map_err(|error| cannot("standard input", &error))?,
    };
    secret(value, bytes)
}

fn cannot(what: &str, error: &io::Error) -> Failure {
    Failure::say(Exit::Refused, format!("cannot read the secret from {what}: {error}"))
}

/// At most one byte more than a secret may have, and the line end after it: the caller sees that it is too long.
fn whole(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let most = SECRET_BYTES_MAX + 3;
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
    from.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn prompt(name: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    let terminal = console::Term::stderr();
    let read = terminal
        .write_str(&format!("value of secret {name} (not shown): "))
        .and_then(|()| terminal.read_secure_line());
    read.map(|line| Zeroizing::new(line.into_bytes())).map_err(|error| cannot("the terminal", &error))
}

/// Text without the line end that editors and `echo` put after it, or bytes as they are.
fn secret(mut value: Zeroizing<Vec<u8>>, bytes: bool) -> Outcome<Secret> {
    let is_text = !bytes && std::str::from_utf8(&value).is_ok();
    if is_text && value.ends_with(b"\n") {
        let end = if value.ends_with(b"\r\n") { 2 } else { 1 };
        let left = value.len() - end;
        value.truncate(left);
    }
    if value.is_empty() {
        return Err(Failure::say(Exit::Usage, "the secret is empty")
            .help("give its value on standard input, with --from-file FILE, or at the prompt"));
    }
    let value = std::mem::take(&mut *value);
    let made = match is_text {
        true => match String::from_utf8(value) {
            Ok(text) => Secret::text(text),
            Err(error) => Secret::bytes(error.into_bytes()),
        },
        false => Secret::bytes(value),
    };
    made.map_err(Failure::usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(value: &[u8], bytes: bool) -> Outcome<Secret> {
        secret(Zeroizing::new(value.to_vec()), bytes)
    }

    #[test]
    fn text_loses_one_line_end_and_bytes_nothing() {
        for (given, bytes, text, held) in [
            (&b"token\n"[..], false, Some("token"), &b"token"[..]),
            (b"token\r\n", false, Some("token"), b"token"),
            (b"a\n\n", false, Some("a\n"), b"a\n"),
            (b"token\n", true, None, b"token\n"),
            (b"\xff\n", false, None, b"\xff\n"),
        ] {
            let secret = read_of(given, bytes).unwrap();
            assert_eq!((secret.expose_text(), secret.expose()), (text, held), "{given:?}");
        }
        for empty in [&b""[..], b"\n"] {
            assert_eq!(read_of(empty, false).unwrap_err().exit(), Exit::Usage);
        }
    }

    #[test]
    fn what_is_too_long_is_not_cut() {
        let long = vec![b'a'; SECRET_BYTES_MAX * 2];
        let error = secret(whole(&*long).unwrap(), false).unwrap_err();
        assert!(error.text().contains("too long"), "{error:?}");
        let most = [&long[..SECRET_BYTES_MAX], b"\n"].concat();
        assert_eq!(secret(whole(&*most).unwrap(), false).unwrap().expose().len(), SECRET_BYTES_MAX);
    }
}
