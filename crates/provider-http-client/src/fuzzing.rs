//! What the programs in `fuzz/` feed with bytes of strangers: each function reads them as the client does, and panics where a
//! rule is broken. Built for fuzzing and for tests, which run the corpus through; no part of the API.

use std::net::{IpAddr, Ipv6Addr};

use lattice_contracts::config::Config;

use crate::{address::is_public, allow::tidy, config::LinkConfig};

/// A link's configuration as lines `key=value`; other lines are hosts that are held against it.
///
/// # Panics
/// If a host is compared in two forms, or an address that wraps another is judged otherwise than that one.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let config: Config = lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let link = LinkConfig::read(&config).ok();
    for host in text.lines().filter(|line| !line.contains('=')) {
        let tidied = tidy(host);
        if let Some(link) = &link {
            let _ = (link.allow.allows(&tidied, 80), link.allow_private, link.ca_file.is_some());
            assert!(link.connections_max > 0 && !link.connect_timeout.is_zero());
        }
        if let Ok(address) = tidied.parse::<IpAddr>() {
            judge(address);
        }
    }
}

/// An IPv4 address is judged alike in every form.
fn judge(address: IpAddr) {
    let public = is_public(address);
    let IpAddr::V4(v4) = address else { return };
    let [a, b, c, d] = v4.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    for wrapped in [
        v4.to_ipv6_mapped(),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
    ] {
        assert_eq!(is_public(IpAddr::V6(wrapped)), public, "{wrapped}");
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// What the fuzzer once found, or starts from.
    #[test]
    fn the_corpus_passes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/config");
        let inputs = fs::read_dir(&folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        let count = inputs.inspect(|input| super::config(input)).count();
        assert!(count > 0, "{} is empty", folder.display());
    }
}
