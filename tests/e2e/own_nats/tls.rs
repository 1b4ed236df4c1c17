//! TLS: for clients and leaf connections of the first server, and for those of a site.

use std::fs;

use lattice_testkit::{Process, until};
use lattice_tests::Stage;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
};

use super::{WITHIN, address, done, nats_server, serve};

/// Certificate and key, in files.
type Certified = (String, String);

/// An authority, and what it signed for two servers of this machine: its file, and theirs.
fn authority(stage: &Stage) -> (String, [Certified; 2]) {
    let write = |name: &str, text: String| {
        let file = stage.folder().join(name);
        fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority of the tests");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let certified = ["hub", "plant"].map(|name| {
        let key = KeyPair::generate().unwrap();
        let names = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let certificate = names.signed_by(&key, &authority).unwrap();
        (write(&format!("{name}.pem"), certificate.pem()), write(&format!("{name}.key"), key.serialize_pem()))
    });
    (write("authority.pem", authority.pem()), certified)
}

/// A folder of `wash nats init` with TLS, and the certificate for a site of it.
struct Secure {
    dir: String,
    listen: String,
    leaf: String,
    authority: String,
    of_site: Certified,
    /// The program of a NATS server.
    server: String,
}

impl Secure {
    async fn made(stage: &Stage) -> Self {
        let (authority, [(cert, key), of_site]) = authority(stage);
        let (dir, listen, leaf) = (stage.folder().join("tls").display().to_string(), address(), address());
        let listens = ["--listen", &listen, "--leaf-listen", &leaf, "--address", "localhost"];
        let tls = ["--tls-cert", &cert, "--tls-key", &key, "--tls-ca", &authority];
        done(stage, &[&["nats", "init", &dir][..], &listens, &tls].concat()).await;
        let server = nats_server().display().to_string();
        Self { dir, listen, leaf, authority, of_site, server }
    }
}

#[tokio::test]
async fn with_tls_everybody_speaks_it() {
    let stage = Stage::set().await;
    let Secure { dir, server, .. } = Secure::made(&stage).await;
    let up = stage.run("wash", &["up", "-d", "--nats-dir", &dir, "--nats-server", &server]).await;
    assert_eq!(up.code, 0, "{}", up.text);
    let hosts = stage.run("wash", &["get", "hosts"]).await;
    assert!(hosts.code == 0 && hosts.text.contains("ready"), "{}", hosts.text);
    let said = stage.run("wash", &["nats", "user", "revoke", &dir, "operator"]).await;
    assert_eq!(said.code, 0, "{}", said.text);
    assert_eq!(stage.run("wash", &["get", "hosts"]).await.code, 1, "revoked");
    assert_eq!(stage.run("wash", &["down"]).await.code, 0);
}

#[tokio::test]
async fn a_site_joins_by_tls_and_speaks_it_to_its_own() {
    let stage = Stage::set().await;
    let secure = Secure::made(&stage).await;
    let (dir, plant) = (&secure.dir, address());
    let (cert, key) = &secure.of_site;
    let site = ["--site", "plant", "--site-listen", &plant, "--site-address", "localhost"];
    let tls = ["--site-tls-cert", cert, "--site-tls-key", key];
    done(&stage, &[&["nats", "init", dir][..], &site, &tls].concat()).await;
    let root = stage.folder().join("tls");
    let _hub = serve(&root.join("server")).await;
    let folder = root.join("sites/plant").display().to_string();
    done(&stage, &["up", "-d", "--nats-dir", &folder, "--nats-server", &secure.server]).await;
    for server in [&secure.listen, &secure.leaf, &plant] {
        let said = greeting(server).await;
        assert!(said.contains("\"tls_required\":true"), "{server}: {said}");
    }

    // At the site, with the context that `wash up` saved.
    let said = done(&stage, &["get", "hosts"]).await;
    assert!(said.contains("ready"), "{said}");
    // Who knows no context, and not the authority, does not get as far as his credentials.
    let url = |address: &str| format!("tls://localhost:{}", address.rsplit(':').next().unwrap());
    let creds = root.join("users/plant-operator.creds");
    let stranger = async |more: &[&str]| {
        let launch = stage.program("wash").env("WASH_CONTEXTS", stage.folder().join("none"));
        let launch =
            launch.args(["get", "hosts", "-x", "plant", "--nats-url", &url(&plant), "--ctl-credsfile"]);
        let mut wash = Process::spawn(launch.arg(&creds).args(more.iter().copied())).unwrap();
        (wash.wait(WITHIN).await.unwrap().success(), wash.output())
    };
    let (refused, known) = (stranger(&[]).await, stranger(&["--ctl-tls-ca-file", &secure.authority]).await);
    assert!(!refused.0, "{}", refused.1);
    assert!(known.0 && known.1.contains("ready"), "{}", known.1);

    // From the first server, over the leaf connection, which has no other port to come by than the one that asks for TLS.
    let (operator, hub) = (format!("{dir}/users/operator.creds"), url(&secure.listen));
    let context = ["ctx", "new", "first", "--nats-url", &hub, "--credsfile", &operator];
    done(&stage, &[&context[..], &["--tls-ca", &secure.authority, "--keep-current"]].concat()).await;
    let seen = async || {
        let said = stage.run("wash", &["get", "hosts", "--context", "first", "-x", "plant"]).await;
        (said.code == 0 && said.text.contains("ready")).then_some(())
    };
    until("the site's host is seen from the first server", WITHIN, seen).await.unwrap();
    // Its server hears of a revocation over TLS, too.
    done(&stage, &["nats", "push", dir, "--nats-url", &url(&plant)]).await;
    let down = done(&stage, &["down", "--all"]).await;
    assert!(down.contains("stopped host") && down.contains("stopped NATS"), "{down}");
}

/// What a server says first, in plain text, to whoever connects.
async fn greeting(address: &str) -> String {
    let said = async {
        let stream = TcpStream::connect(address).await.unwrap();
        BufReader::new(stream).lines().next_line().await.unwrap().unwrap()
    };
    tokio::time::timeout(WITHIN, said).await.unwrap()
}
