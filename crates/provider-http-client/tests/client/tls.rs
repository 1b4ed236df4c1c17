use std::{
    io::Write as _,
    sync::{Arc, atomic::Ordering},
};

use lattice_contracts::http::{OutgoingError, Response, full};
use lattice_core::State;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use crate::rig::{Rig, Server, text};

/// A server that speaks TLS as `local.test`, by a certificate of an authority of its own, and that authority as PEM.
async fn secure(protocols: &[&str]) -> (Server, tempfile::NamedTempFile) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = CertificateParams::new(vec!["local.test".to_owned()]).unwrap();
    let certificate = names.signed_by(&key, &authority).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let answer = |request: http::Request<hyper::body::Incoming>| async move {
        Response::new(full(format!("{:?}", request.version())))
    };
    let server = Server::start_with(answer, move |stream| acceptor.accept(stream)).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(authority.pem().as_bytes()).unwrap();
    (server, file)
}

#[tokio::test]
async fn tls_is_checked_and_the_version_agreed_on() {
    for (protocols, version) in
        [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1"), (&[], "HTTP/1.1")]
    {
        let (server, authority) = secure(protocols).await;
        let rig = Rig::open(&[("ca_file", authority.path().to_str().unwrap())]).await;
        let port = server.address.port();
        for _ in 0..3 {
            let response = rig.get(&format!("https://local.test:{port}/")).await.unwrap();
            assert_eq!(text(response).await, version);
        }
        assert_eq!(server.connections.load(Ordering::Relaxed), 1, "connections are kept");
        let wrong_name = rig.get(&format!("https://localhost:{port}/")).await.unwrap_err();
        assert!(matches!(wrong_name, OutgoingError::Tls { .. }), "{wrong_name:?}");
        let unknown_authority = Rig::open(&[]).await.get(&format!("https://local.test:{port}/")).await;
        assert!(matches!(unknown_authority, Err(OutgoingError::Tls { .. })));
    }
}

#[tokio::test]
async fn a_file_without_certificates_fails_the_link() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let state = Rig::new().link("a", &[("ca_file", file.path().to_str().unwrap())]).await;
    let State::Failed(why) = state else { panic!("{state}") };
    assert!(why.contains("it holds no certificate"), "{why}");
}
