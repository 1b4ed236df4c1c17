//! Public keys, seeds and the names of kinds, one in each line; and 34 bytes as prefix and content of a key, around which the text
//! with the right checksum is made.
#![no_main]

use data_encoding::BASE32_NOPAD;
use lattice_claims::{KeyError, KeyKind, KeyPair, PublicKey, Trust};
use lattice_fuzz::{bounded, text, told};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 128, read));

fn read(data: &[u8]) {
    if let [first, second, raw @ ..] = data
        && raw.len() == 32
    {
        keys(&encoded(&[*first], raw));
        keys(&encoded(&[*first, *second], raw));
    }
    for line in text(data).into_iter().flat_map(|text| text.split('\n')) {
        keys(line);
        let _ = line.parse::<KeyKind>();
    }
}

fn keys(line: &str) {
    if let Ok(key) = line.parse::<PublicKey>() {
        assert_eq!(key.as_str(), line);
        assert!(line.starts_with(key.kind().letter()));
        assert_eq!(Trust::accounts([line]).is_ok(), key.kind() == KeyKind::Account);
    }
    match KeyPair::from_seed(line) {
        Ok(pair) => {
            let public = pair.public_key();
            assert_eq!(public.as_str().parse::<PublicKey>().as_ref(), Ok(public));
            let seed = line.trim();
            assert!(seed.starts_with('S') && !format!("{pair:?}").contains(seed), "a seed is not shown");
        }
        Err(KeyError::PublicKeyInsteadOfSeed { text }) => assert_eq!(text, line.trim()),
        Err(error) => told(error),
    }
}

/// As nkeys writes keys: Base32 of prefix, content and checksum.
fn encoded(prefix: &[u8], raw: &[u8]) -> String {
    let mut bytes = [prefix, raw].concat();
    let crc = bytes.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    bytes.extend(crc.to_le_bytes());
    BASE32_NOPAD.encode(&bytes)
}
