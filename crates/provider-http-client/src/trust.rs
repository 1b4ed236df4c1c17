//! Whom a link trusts: the public authorities, or those of a file that its configuration names.
//!
//! Whoever may put a configuration names that file, so it is read with care: a pipe or a device is not, and neither its
//! size nor a slow disk holds anybody up.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hyper_rustls::ConfigBuilderExt;
use rustix::fs::OFlags;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

const CA_BYTES_MAX: u64 = 4 * 1024 * 1024;
const READ_WITHIN: Duration = Duration::from_secs(5);

/// The TLS settings that trust the authorities in `ca_file`, or the public ones; the error is the reason for the link's
/// state.
pub(crate) async fn trust(ca_file: Option<&str>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions");
    let Some(path) = ca_file else { return Ok(builder.with_webpki_roots().with_no_client_auth()) };
    let roots = authorities(path.into()).await.map_err(|why| {
        format!(
            "config ca_file={path:?} is not usable: {why}; name a PEM file with the certificates of the authorities to \
             trust, which the host can read, and put the configuration or the link again"
        )
    })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

async fn authorities(path: PathBuf) -> Result<RootCertStore, String> {
    // A thread that a dead network disk holds is left behind: the link has to get its state.
    let reading = tokio::task::spawn_blocking(move || read(&path));
    let pem = match tokio::time::timeout(READ_WITHIN, reading).await {
        Ok(Ok(read)) => read.map_err(|error| error.to_string())?,
        Ok(Err(error)) => return Err(format!("it could not be read: {error}")),
        Err(_late) => return Err(format!("it could not be read within {READ_WITHIN:?}")),
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| format!("it is not PEM: {error}"))?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("it holds no certificate".into());
    }
    Ok(roots)
}

/// Reads a plain file of bounded size. Blocks.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Looked at before as well: merely opening a device may do something.
    plain(&fs::metadata(path)?)?;
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(CA_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > CA_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {CA_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// Opens a plain file, whatever the name leads to by now: a pipe is not waited for.
fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)?;
    plain(&file.metadata()?)?;
    Ok(file)
}

fn plain(about: &Metadata) -> io::Result<()> {
    if about.is_file() {
        return Ok(());
    }
    Err(io::Error::other(if about.is_dir() { "it is a folder" } else { "it is no plain file" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_plain_file_of_certificates_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).unwrap();
        // Without a byte on the disk.
        File::create(at("large")).unwrap().set_len(CA_BYTES_MAX + 1).unwrap();
        fs::write(at("empty"), "").unwrap();
        fs::write(at("broken"), "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
        for (path, says) in [
            (at("pipe"), "no plain file"),
            ("/dev/zero".to_owned(), "no plain file"),
            (at("."), "a folder"),
            (at("large"), "larger than 4194304 bytes"),
            (at("missing"), "No such file"),
            (at("empty"), "holds no certificate"),
            (at("broken"), "not PEM"),
        ] {
            let refused = trust(Some(&path)).await.unwrap_err();
            assert!(refused.contains(says) && refused.contains("name a PEM file"), "{path}: {refused}");
            assert!(refused.contains(&format!("{path:?}")), "{path}: {refused}");
        }
        assert!(trust(None).await.is_ok());
    }

    #[test]
    fn a_pipe_that_takes_a_file_s_place_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        assert!(open(&pipe).unwrap_err().to_string().contains("no plain file"));
    }
}
