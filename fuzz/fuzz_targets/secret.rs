//! What a box around a secret holds, and a box that comes in a command; how commands and facts read is in `control`.
#![no_main]

use lattice_claims::{KeyKind, KeyPair, open_secret};
use lattice_control_interface::PutSecretCommand;
use lattice_core::{HostId, LatticeName, SecretContents};
use lattice_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, 256, read));

fn read(data: &[u8]) {
    if let Ok(contents) = SecretContents::from_bytes(data) {
        assert_eq!(*contents.to_bytes(), *data, "there is one form of everything");
        let shown = format!("{:?} {}", contents.secret, contents.secret);
        assert_eq!(shown, "<secret> <secret>");
    }
    let Ok(command) = serde_json::from_slice::<PutSecretCommand>(data) else { return };
    let Ok(host) = HostId::new(format!("N{}", "A".repeat(55))) else { return };
    let place = (&LatticeName::default(), &command.name);
    // Nobody has sealed anything to a key of this moment.
    assert!(open_secret(&command.sealed, place, &host, &KeyPair::generate(KeyKind::Curve)).is_err());
}
