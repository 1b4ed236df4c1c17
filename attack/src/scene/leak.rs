//! Looking for a value wherever it may have got to.

use std::{
    fs,
    path::{Path, PathBuf},
};

use data_encoding::{BASE64, BASE64URL};

/// A value, in every form in which it may stand somewhere.
pub(crate) struct Leak(Vec<String>);

impl Leak {
    /// Looks for `value`, which is ASCII: as it is, in Base64, as a list of numbers.
    pub(crate) fn of(value: &str) -> Self {
        let bytes = value.as_bytes();
        let mut forms = vec![value.to_owned()];
        for encoding in [BASE64, BASE64URL] {
            // Base64 has three forms of a text within a longer one; the ends of each depend on what stands beside.
            forms.extend((0..3).map(|before| {
                let whole = encoding.encode(&[&b"___"[..before], bytes].concat());
                let start = if before == 0 { 0 } else { 4 };
                whole[start..whole.len() - 4].to_owned()
            }));
        }
        let numbers = format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
        forms.extend([numbers.replace(' ', ""), numbers]);
        Self(forms)
    }

    /// Whether it stands somewhere among these bytes.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        self.0.iter().any(|form| text.contains(form.as_str()))
    }

    /// The first file below `folder` that holds it.
    pub(crate) fn file_below(&self, folder: &Path) -> Option<PathBuf> {
        // One that is gone again was written under a temporary name, and renamed since.
        files_below(folder).into_iter().find(|file| fs::read(file).is_ok_and(|bytes| self.is_in(&bytes)))
    }
}

/// Every file below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                Ok(_) | Err(_) => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_in_every_form_and_no_other_is() {
        let (value, other) = ("SXAHGC56LJFTSRXFC653AT7X?>~", "SXAHGC56LJFTSRXFC653AT7Y?>~");
        let (leak, none) = (Leak::of(value), Leak::of(other));
        for before in ["", "a", "ab", "abc"] {
            let text = format!("{before}{value} and more");
            let numbers = format!("{:?}", text.as_bytes());
            for form in [
                text.clone(),
                BASE64.encode(text.as_bytes()),
                BASE64URL.encode(text.as_bytes()),
                numbers.replace(' ', ""),
                numbers,
            ] {
                assert!(leak.is_in(form.as_bytes()), "{form}");
                assert!(!none.is_in(form.as_bytes()), "{form}");
            }
        }
    }
}
