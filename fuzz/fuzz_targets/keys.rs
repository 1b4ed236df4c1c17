//! Public keys, seeds and the names of kinds, one in each line.
#![no_main]

use lattice_claims::{KeyError, KeyKind, KeyPair, PublicKey, Trust};
use lattice_fuzz::{bounded, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 128, read));

fn read(data: &[u8]) {
    for line in text(data).into_iter().flat_map(|text| text.split('\n')) {
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
            Err(error) => drop(error.to_string()),
        }
        let _ = line.parse::<KeyKind>();
    }
}
