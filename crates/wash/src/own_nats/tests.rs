use std::{collections::BTreeSet, fs, path::Path};

use lattice_core::{
    EntityId, LatticeName,
    permission::{Principal, Reach, Role},
};

use super::*;
use crate::exit::Exit;

fn plan() -> Plan {
    Plan {
        name: "hub".into(),
        domain: Some("hub".into()),
        listen: "127.0.0.1:4222".into(),
        leaf_listen: Some("127.0.0.1:7422".into()),
        address: None,
        lattice: LatticeName::default(),
        signed_control: true,
        admin: None,
        tls: false,
        tls_ca: false,
    }
}

fn viewer(name: &str) -> NewUser {
    let name = EntityId::new(name).unwrap();
    NewUser::new(name.clone(), Principal::Viewer(name), Reach::Lattice(LatticeName::default()))
}

fn made(root: &Path) -> OwnNats {
    make(root, plan(), &TlsGiven::default()).unwrap().unwrap()
}

#[test]
fn made_once_and_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("hub");
    assert!(OwnNats::open(&root).unwrap().is_none());
    let own = made(&root);
    let again = OwnNats::open(&root).unwrap().unwrap();
    assert_eq!(again.account().unwrap(), own.account().unwrap());
    assert_eq!(Plan { admin: None, ..again.plan.clone() }, plan());
    assert!(make(&root, plan(), &TlsGiven::default()).unwrap().is_none(), "it is there");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    let config = fs::read_to_string(root.join("server/nats-server.conf")).unwrap();
    for key in ["operator", "system", "account"] {
        let seed = fs::read_to_string(root.join(format!("keys/{key}.nk"))).unwrap();
        assert!(!config.contains(seed.trim()), "no server needs the {key}'s key");
    }
    fs::create_dir(folder.path().join("other")).unwrap();
    fs::write(folder.path().join("other/file"), "").unwrap();
    let refused = make(&folder.path().join("other"), plan(), &TlsGiven::default()).unwrap_err();
    assert!(refused.text().contains("something else"), "{}", refused.text());
    // Whoever died on the way left a folder of another name; it stops nobody.
    fs::create_dir(folder.path().join(".nats-dead")).unwrap();
    made(&folder.path().join("third"));
}

#[test]
fn signatures_are_asked_for_also_where_the_admin_s_seed_was_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let own = made(&folder.path().join("hub"));
    let admins = ServerFolder::find(own.root()).unwrap().about.admins;
    assert_eq!(admins.len(), 1);
    fs::remove_file(own.root().join("keys/admin.nk")).unwrap();
    own.write_server().unwrap();
    let again = OwnNats::open(own.root()).unwrap().unwrap();
    again.write_server().unwrap();
    assert_eq!(ServerFolder::find(own.root()).unwrap().about.admins, admins);
}

#[test]
fn users_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let own = made(&folder.path().join("hub"));
    let vera = own.add_user(&viewer("vera")).unwrap();
    assert_eq!(vera.role, Some((Role::Viewer, "default".to_owned())));
    assert_eq!(own.add_user(&viewer("vera")).unwrap_err().exit(), Exit::Refused, "there is one");
    let states = || -> Vec<(String, &'static str)> {
        own.users().unwrap().into_iter().map(|user| (user.name.clone(), user.state(vera.issued))).collect()
    };
    let of = |list: [(&str, &'static str); 3]| list.map(|(name, state)| (name.to_owned(), state)).to_vec();
    assert_eq!(states(), of([("host", "active"), ("operator", "active"), ("vera", "active")]));
    let before = own.account_token().unwrap().issued;
    assert!(own.revoke_user("vera").unwrap().revoked);
    assert!(own.account_token().unwrap().issued > before, "servers keep the newest");
    own.revoke_user("vera").unwrap();
    assert_eq!(states()[2].1, "revoked");
    assert!(own.revoke_user("nobody").unwrap_err().text().contains("no user nobody"));
    assert!(own.ensure_user(&viewer("vera")).unwrap_err().text().contains("revoked"));
    // The configuration knows, for a server that is started later.
    let config = fs::read_to_string(own.server().join("nats-server.conf")).unwrap();
    assert!(config.contains(&own.account().unwrap().1));
    let again = own.add_user(&viewer("vera")).unwrap();
    assert!(again.key != vera.key && states()[2].1 == "active", "another key under the same name");
    assert_eq!(own.ensure_user(&viewer("vera")).unwrap(), again.file);
    let host = NewUser { principal: Principal::Host(None), ..viewer("vera") };
    assert!(own.ensure_user(&host).is_err(), "another role");
}

#[test]
fn a_site_that_was_begun_is_finished_and_knows_its_own_lattice_alone() {
    let folder = tempfile::tempdir().unwrap();
    let own = made(&folder.path().join("hub"));
    let wanted = SiteWanted {
        name: EntityId::new("plant").unwrap(),
        lattice: LatticeName::new("plant").unwrap(),
        listen: "0.0.0.0:4333".into(),
        address: None,
        tls: TlsGiven::default(),
    };
    // As left by a process that died before the last file.
    fs::create_dir(own.sites().join("plant")).unwrap();
    let site = make_site(&own, &wanted).unwrap();
    assert_eq!((site.about.url.as_str(), site.port().unwrap()), ("nats://127.0.0.1:4333", 4333));
    let config = fs::read_to_string(site.config()).unwrap();
    assert!(
        config.contains("nats-leaf://127.0.0.1:7422") && config.contains("domain: \"plant\""),
        "{config}"
    );
    assert!(make_site(&own, &wanted).unwrap_err().text().contains("already"));
    let first = SiteWanted { name: EntityId::new("hub").unwrap(), ..wanted };
    assert!(make_site(&own, &first).is_err(), "two domains of one name");
    // Copied elsewhere, it is found by itself.
    let moved = folder.path().join("moved");
    fs::rename(site.dir(), &moved).unwrap();
    let found = ServerFolder::find(&moved).unwrap();
    assert!(found.host_creds().exists() && found.operator_creds().exists());
    assert_eq!(ServerFolder::find(own.root()).unwrap().about.name, "hub");
    assert!(ServerFolder::find(folder.path()).is_err());
}

#[test]
fn a_site_has_its_certificate_and_the_authority_of_the_first_server_unless_it_has_one_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let given = |of: &str| {
        let file = |what: &str| {
            let path = folder.path().join(format!("{of}-{what}"));
            fs::write(&path, format!("{what} of {of}")).unwrap();
            Some(path)
        };
        TlsGiven { cert: file("cert"), key: file("key"), ca: file("ca") }
    };
    let plan = Plan { tls: true, tls_ca: true, ..plan() };
    let own = make(&folder.path().join("hub"), plan, &given("hub")).unwrap().unwrap();
    let site = |name: &str, tls: TlsGiven| {
        let wanted = SiteWanted {
            name: EntityId::new(name).unwrap(),
            lattice: LatticeName::new(name).unwrap(),
            listen: "0.0.0.0:4333".into(),
            address: Some(format!("{name}.example")),
            tls,
        };
        make_site(&own, &wanted).unwrap()
    };
    let read = |site: &ServerFolder, file: &str| fs::read_to_string(site.dir().join(file)).unwrap();

    let plain = site("plain", TlsGiven::default());
    assert_eq!((plain.about.url.as_str(), plain.ca()), ("nats://plain.example:4333", None));
    let plant = site("plant", TlsGiven { ca: None, ..given("plant") });
    assert_eq!(plant.about.url, "tls://plant.example:4333");
    assert_eq!(fs::read_to_string(plant.ca().unwrap()).unwrap(), "ca of hub");
    assert_eq!(read(&plant, "key.pem"), "key of plant");
    let far = site("far", given("far"));
    assert_eq!((read(&far, "ca.pem"), read(&far, "leaf-ca.pem")), ("ca of far".into(), "ca of hub".into()));
    for (site, speaks) in [(&plain, false), (&plant, true), (&far, true)] {
        let config = read(site, "nats-server.conf");
        assert_eq!(config.contains("cert_file: \"cert.pem\""), speaks, "{config}");
        assert!(config.contains("tls { ca_file: \"leaf-ca.pem\" }"), "{config}");
    }
    // When somebody is revoked all of it is written again, and stays so.
    let before = read(&far, "server.json");
    own.rewrite_servers().unwrap();
    assert!(read(&far, "nats-server.conf").contains("cert_file") && read(&far, "server.json") == before);
    let of_hub = own.server().join("ca.pem");
    assert_eq!(own.ca_at("tls://far.example:4333").unwrap(), far.ca());
    assert_eq!(own.ca_at("tls://elsewhere:4333").unwrap(), Some(of_hub));
}

#[test]
fn the_key_of_provider_processes_is_made_once_named_by_the_account_and_copied_to_servers() {
    use lattice_claims::nats::ProviderSigner;
    use lattice_core::permission::Template;

    let folder = tempfile::tempdir().unwrap();
    let own = made(&folder.path().join("hub"));
    let lattice = LatticeName::default();
    let signer = ProviderSigner::read(&fs::read_to_string(own.provider_key(&lattice)).unwrap()).unwrap();
    let named = |own: &OwnNats| own.account_token().unwrap().scoped_keys;
    let of_default = named(&own);
    assert_eq!(of_default.len(), 1);
    assert_eq!((&of_default[0].key, of_default[0].role), (signer.key.public_key(), Role::Provider));
    assert_eq!(of_default[0].template, Template::of(Role::Provider, &lattice));
    assert!(!own.ensure_provider_key(&lattice).unwrap(), "there is nothing to tell anybody");
    let copy = own.server().join("providers-default.key");
    assert_eq!(fs::read(&copy).unwrap(), fs::read(own.provider_key(&lattice)).unwrap());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    }

    // Another lattice has another key, and a folder of an earlier version gets one, with what is allowed today.
    let shop = LatticeName::new("shop").unwrap();
    assert!(own.ensure_provider_key(&shop).unwrap());
    assert_eq!(named(&own).len(), 2);
    let mut account = own.account_token().unwrap();
    account.scoped_keys[0].template.deny.publish.clear();
    own.sign_account(account.clone()).unwrap();
    assert!(own.ensure_provider_key(&lattice).unwrap());
    assert_eq!(named(&own)[0], of_default[0]);
    // Or all at once, the keys included whose files are gone.
    own.sign_account(account).unwrap();
    assert_eq!(own.lattices_with_other_templates().unwrap(), BTreeSet::from([lattice.clone()]));
    own.renew_templates().unwrap();
    assert_eq!(named(&own)[0], of_default[0]);
    assert!(own.lattices_with_other_templates().unwrap().is_empty());
    let signed = own.account_token().unwrap().issued;
    own.renew_templates().unwrap();
    assert_eq!(own.account_token().unwrap().issued, signed, "there is nothing to sign");
    // Revoking somebody keeps them.
    own.add_user(&viewer("vera")).unwrap();
    own.revoke_user("vera").unwrap();
    assert_eq!(named(&own).len(), 2);
    // A key that went is made anew; the account names both.
    fs::remove_file(own.provider_key(&shop)).unwrap();
    assert!(own.ensure_provider_key(&shop).unwrap());
    // Until it is renewed: then it names the new one alone, and those of other lattices, whatever version made the old ones.
    let mut account = own.account_token().unwrap();
    account.scoped_keys[1].template.deny.publish.clear();
    own.sign_account(account).unwrap();
    let before = named(&own);
    own.renew_provider_key(&shop).unwrap();
    let after = named(&own);
    assert!(before.len() == 3 && after.len() == 2 && after[0] == of_default[0]);
    assert!(!before.contains(&after[1]), "{after:?}");
    assert!(!own.ensure_provider_key(&shop).unwrap(), "the file holds it");
    fs::write(own.provider_key(&shop), "nothing").unwrap();
    assert!(own.ensure_provider_key(&shop).unwrap_err().text().contains("not usable"));
}
