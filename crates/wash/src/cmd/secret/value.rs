//! Where a secret comes from: a prompt without echo, standard input, or a file. Never the command line, which every user of the
//! machine can read.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read},
    path::Path,
};

use lattice_core::{SECRET_BYTES_MAX, Secret, SecretTooLong};
use zeroize::Zeroizing;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
};

/// Reads it; `bytes` takes it as it is, even where it is text.
pub(super) fn read(name: &str, file: Option<&Path>, bytes: bool) -> Outcome<Secret> {
    let (value, size) = match file {
        Some(path) => of_file(path).map_err(|error| cannot(&path.display().to_string(), &error))?,
        None if io::stdin().is_terminal() => (prompt(name)?, None),
        None => (whole(io::stdin()).map_err(|error| cannot("standard input", &error))?, None),
    };
    secret(value, bytes, size)
}

/// What a file holds, and how much it says it holds; a pipe does not say.
fn of_file(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, Option<u64>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let size = metadata.is_file().then_some(metadata.len());
    Ok((whole(file)?, size))
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

/// It was not read to its end, so only a file says how long it is.
fn too_long(size: Option<u64>) -> Failure {
    let given = match size {
        Some(size) => format!("the file has {size} bytes"),
        None => format!("more than {SECRET_BYTES_MAX} bytes were given"),
    };
    let what = format!("the secret is too long: {given}, and a secret has at most {SECRET_BYTES_MAX}");
    Failure::say(Exit::Usage, what).help("put the key to it as a secret, and what it opens elsewhere")
}

/// Text without the line end that editors and `echo` put after it, or bytes as they are; `size` is that of the file it is from.
fn secret(mut value: Zeroizing<Vec<u8>>, bytes: bool, size: Option<u64>) -> Outcome<Secret> {
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
    made.map_err(|_: SecretTooLong| too_long(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(value: &[u8], bytes: bool) -> Outcome<Secret> {
        secret(Zeroizing::new(value.to_vec()), bytes, None)
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
        let error = secret(whole(&*long).unwrap(), false, None).unwrap_err();
        let says = "more than 65536 bytes were given, and a secret has at most 65536";
        assert!(error.json()["error"].as_str().unwrap().contains(says), "{error:?}");
        let most = [&long[..SECRET_BYTES_MAX], b"\n"].concat();
        assert_eq!(secret(whole(&*most).unwrap(), false, None).unwrap().expose().len(), SECRET_BYTES_MAX);
    }

    #[test]
    fn of_a_file_that_is_too_long_its_size_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("long");
        std::fs::write(&file, vec![b'a'; 200_000]).unwrap();
        let error = read("token", Some(&file), false).unwrap_err();
        let says = "the file has 200000 bytes, and a secret has at most 65536";
        assert_eq!(error.exit(), Exit::Usage);
        assert!(error.json()["error"].as_str().unwrap().contains(says), "{error:?}");
    }
}
