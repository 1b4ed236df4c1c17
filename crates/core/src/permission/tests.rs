use proptest::prelude::*;

use super::*;
use crate::{
    BackSubject, BeatKind, BeatSubject, CallTo, ConfigName, CtlSubject, CtlVerb, EventName,
    back_subscription, beat_all_subscription, call_subject, calls_of_host, calls_of_target,
    ctl_all_subscriptions, ctl_own_subscriptions, event_subject,
};

fn host(letter: char) -> HostId {
    HostId::new(format!("N{}", letter.to_string().repeat(55))).unwrap()
}

fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

fn lattice(name: &str) -> LatticeName {
    LatticeName::new(name).unwrap()
}

fn principals() -> Vec<Principal> {
    vec![
        Principal::Host(Some(host('A'))),
        Principal::Operator(id("anna")),
        Principal::Viewer(id("vera")),
        Principal::Provider(id("web")),
        Principal::Tool(id("tool")),
        Principal::Site(id("plant")),
    ]
}

fn of(principal: &Principal) -> Permissions {
    Permissions::of(principal, &Reach::Lattice(lattice("default")))
}

/// Every control request, and whether it changes nothing.
fn control() -> Vec<(String, bool)> {
    let (a, config) = (host('A'), ConfigName::new("a.b/c").unwrap());
    let verbs = [
        (CtlVerb::HostPing, true),
        (CtlVerb::HostGet(a.clone()), true),
        (CtlVerb::LinkGet, true),
        (CtlVerb::ClaimsGet, true),
        (CtlVerb::ConfigGet(config.clone()), true),
        (CtlVerb::TrustGet, true),
        (CtlVerb::RoleGet, true),
        (CtlVerb::SecretList, true),
        (CtlVerb::SecretPut, false),
        (CtlVerb::SecretDel, false),
        (CtlVerb::HostStop(a.clone()), false),
        (CtlVerb::HostForget, false),
        (CtlVerb::TrustPut, false),
        (CtlVerb::TrustDel, false),
        (CtlVerb::RolePut, false),
        (CtlVerb::RoleDel, false),
        (CtlVerb::ComponentAuction, false),
        (CtlVerb::ComponentScale(a.clone()), false),
        (CtlVerb::ComponentUpdate(a.clone()), false),
        (CtlVerb::ComponentCall(a.clone()), false),
        (CtlVerb::ProviderAuction, false),
        (CtlVerb::ProviderStart(a.clone()), false),
        (CtlVerb::ProviderStop(a.clone()), false),
        (CtlVerb::LabelPut(a.clone()), false),
        (CtlVerb::LabelDel(a), false),
        (CtlVerb::LinkPut, false),
        (CtlVerb::LinkDel, false),
        (CtlVerb::ConfigPut(config.clone()), false),
        (CtlVerb::ConfigDel(config), false),
        (CtlVerb::RegistryPut, false),
    ];
    let subject = |verb| CtlSubject { lattice: lattice("default"), verb }.to_string();
    verbs.into_iter().map(|(verb, reads)| (subject(verb), reads)).collect()
}

#[test]
fn the_table_for_one_of_each() {
    let mut text = String::new();
    for principal in principals() {
        let Permissions { publish, subscribe } = of(&principal);
        text += &format!("{}\n", principal.role());
        publish.iter().for_each(|subject| text += &format!("  > {subject}\n"));
        subscribe.iter().for_each(|subject| text += &format!("  < {subject}\n"));
    }
    insta::assert_snapshot!(text.replace(host('A').as_str(), "{host}"));
}

#[test]
fn the_document_is_made_of_the_table() {
    const BEGIN: &str = "<!-- permissions: made from crates/core/src/permission/table.rs; UPDATE_DOCS=1 cargo test -p lattice-core -->\n\n";
    const END: &str = "\n<!-- end of permissions -->";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/security.md");
    let text = std::fs::read_to_string(file).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the table begins in docs/security.md");
    let (table, after) = rest.split_once(END).expect("the table ends in docs/security.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(file, [before, BEGIN, &permissions_document(), END, after].concat()).unwrap();
        return;
    }
    assert!(
        table == permissions_document(),
        "docs/security.md is stale: run UPDATE_DOCS=1 cargo test -p lattice-core"
    );
}

#[test]
fn a_server_configuration_is_made_of_the_table() {
    let permissions = of(&Principal::Tool(id("tool")));
    let user = ServerUser { name: "tool", password: "a\"b", permissions: &permissions };
    insta::assert_snapshot!(server_authorization(&[user]), @r#"
    authorization {
      users: [
        { user: "tool", password: "a\"b", permissions: {
          publish: { allow: ["wasmbus.call.default.tool.>", "wasmbus.host.default.tool.>", "wasmbus.back.default.tool.>", "wasmbus.inbox.default.tool.>"] }
          subscribe: { allow: ["wasmbus.back.default.*.tool.>", "wasmbus.inbox.default.tool.>"] }
        } }
      ]
    }
    "#);
}

#[test]
fn control_requests_are_for_operators_and_looking_for_viewers() {
    for (subject, reads) in control() {
        for principal in principals() {
            let may = of(&principal).may_publish(&subject);
            let should = match principal.role() {
                Role::Operator | Role::Site => true,
                Role::Viewer => reads,
                Role::Host => subject.ends_with("host.ping") || subject.contains(".host.get."),
                Role::Provider | Role::Tool => false,
            };
            assert_eq!(may, should, "{principal:?} {subject}");
            // Who hears requests could answer them in a host's place.
            let hears = of(&principal).may_subscribe(&subject, None);
            if !matches!(principal.role(), Role::Host | Role::Site) {
                assert!(!hears, "{principal:?} hears {subject}");
            }
        }
    }
}

#[test]
fn a_host_has_what_it_subscribes_and_publishes() {
    let (me, other, lattice) = (host('A'), host('B'), lattice("default"));
    for principal in [Principal::Host(Some(me.clone())), Principal::Host(None)] {
        let host = of(&principal);
        let mut wanted = ctl_all_subscriptions(&lattice, &me);
        wanted.extend(ctl_own_subscriptions(&lattice, &me));
        let (calls, group) = calls_of_target(&lattice, &id("greeter"));
        wanted.push((calls, Some(group)));
        let beat = |host: &HostId, kind| {
            BeatSubject { lattice: lattice.clone(), host: host.clone(), kind }.to_string()
        };
        for subject in [
            calls_of_host(&lattice, &me),
            back_subscription(&lattice, &id(me.as_str()), 7),
            beat_all_subscription(&lattice),
            event_subject(&lattice, Some(EventName::HostLost)),
            event_subject(&lattice, Some(EventName::HostBack)),
            beat(&other, BeatKind::Neighbours),
            beat(&me, BeatKind::Ask),
            format!("{}.x.*", inbox_prefix(&lattice, me.as_str())),
        ] {
            wanted.push((subject, None));
        }
        for (subject, queue) in wanted {
            assert!(host.may_subscribe(&subject, queue.as_deref()), "{subject} {queue:?}");
        }
        for subject in [
            call_subject(&lattice, &id("any"), &CallTo::Anyone, &id("other"), "a:b/c", "d"),
            call_subject(&lattice, &id("any"), &CallTo::Host(other.clone()), &id("other"), "a:b/c", "d"),
            beat(&me, BeatKind::Neighbours),
            beat(&me, BeatKind::All),
            beat(&other, BeatKind::Ask),
            event_subject(&lattice, None),
        ] {
            assert!(host.may_publish(&subject), "{subject}");
        }
        assert_eq!(host.may_publish(&beat(&other, BeatKind::All)), principal == Principal::Host(None));
    }
}

#[test]
fn nobody_of_one_lattice_reaches_another() {
    let other = lattice("other");
    for principal in principals() {
        let here = of(&principal);
        let Permissions { publish, subscribe } = Permissions::of(&principal, &Reach::Lattice(other.clone()));
        for subject in publish.iter().filter(|subject| subject.contains(".other")) {
            assert!(!here.may_publish(subject), "{principal:?} publishes to {subject}");
        }
        for subject in subscribe.iter().filter(|subject| subject.contains(".other")) {
            let subject = subject.split(' ').next().unwrap_or_default();
            assert!(!here.may_subscribe(subject, None), "{principal:?} subscribes to {subject}");
        }
        let every = Permissions::of(&principal, &Reach::Every);
        assert!(publish.iter().all(|subject| every.may_publish(subject)), "{principal:?}");
    }
}

#[test]
fn inboxes_are_found_in_what_may_be_subscribed() {
    let (default, other) = (lattice("default"), lattice("other"));
    let inbox = |principal: &Principal, reach: &Reach, on: &LatticeName, host: Option<&HostId>| {
        inbox_within(&Permissions::of(principal, reach).subscribe, on, host)
    };
    let (anna, one) = (Principal::Operator(id("anna")), Reach::Lattice(default.clone()));
    assert_eq!(inbox(&anna, &one, &default, None).as_deref(), Some("wasmbus.inbox.default.=user.anna"));
    assert_eq!(inbox(&anna, &one, &other, None), None, "of another lattice");
    assert_eq!(inbox(&anna, &Reach::Every, &other, None).as_deref(), Some("wasmbus.inbox.other.=user.anna"));
    let a = host('A');
    assert_eq!(
        inbox(&Principal::Host(None), &one, &default, Some(&a)),
        Some(format!("wasmbus.inbox.default.{a}"))
    );
    assert_eq!(inbox(&Principal::Host(None), &one, &default, None), None, "a host has an id");
    assert_eq!(inbox_within(&[">".to_owned()], &default, None), None, "not of ours");
    let pattern = [">".to_owned(), "wasmbus.inbox.default.*.x.>".to_owned()];
    assert_eq!(inbox_within(&pattern, &default, Some(&a)), None, "answers come back on no pattern");
}

proptest! {
    /// A provider or tool never gets at what belongs to somebody else, whatever the names are.
    #[test]
    fn a_provider_is_nobody_else(
        me in "[A-Za-z0-9_-]{1,12}",
        other in "[A-Za-z0-9_-]{1,12}",
        connection: u64,
        call: u64,
    ) {
        prop_assume!(me != other);
        let lattice = lattice("default");
        for principal in [Principal::Provider(id(&me)), Principal::Tool(id(&me))] {
            let mine = of(&principal);
            for to in [CallTo::Anyone, CallTo::Host(host('A'))] {
                let as_me = call_subject(&lattice, &id(&me), &to, &id(&other), "a:b/c", "d");
                let as_other = call_subject(&lattice, &id(&other), &to, &id(&me), "a:b/c", "d");
                prop_assert!(mine.may_publish(&as_me) && !mine.may_publish(&as_other));
            }
            let back = |writer, reader| BackSubject { lattice: "default", writer, reader, connection, call }.to_string();
            prop_assert!(mine.may_publish(&back(&me, &other)) && !mine.may_publish(&back(&other, &me)));
            prop_assert!(mine.may_subscribe(&back_subscription(&lattice, &id(&me), connection), None));
            prop_assert!(!mine.may_subscribe(&back_subscription(&lattice, &id(&other), connection), None));
            let (calls, group) = calls_of_target(&lattice, &id(&other));
            prop_assert!(!mine.may_subscribe(&calls, Some(&group)) && !mine.may_subscribe(&calls, None));
            let foreign = format!("{}.x.*", inbox_prefix(&lattice, &other));
            prop_assert!(!mine.may_subscribe(&foreign, None) && !mine.may_publish(&foreign));
            for subject in [">", "wasmbus.>", "$KV.LATTICE_default.link.x", "$JS.API.STREAM.DELETE.KV_LATTICE_default",
                "wasmbus.evt.default.host_stopped", "wasmbus.beat.default.x", "_INBOX.x"] {
                prop_assert!(!mine.may_publish(subject) && !mine.may_subscribe(subject, None), "{}", subject);
            }
        }
    }
}

#[test]
fn templates_have_the_name_where_servers_fill_it_in() {
    for role in [Role::Provider, Role::Tool] {
        let template = Template::of(role, &lattice("shop"));
        assert_eq!(template.lattice(), Some(lattice("shop")));
        let Permissions { publish, subscribe } = template.allow;
        for subject in publish.into_iter().chain(subscribe) {
            assert!(subject.split('.').filter(|token| *token == "{{name()}}").count() == 1, "{subject}");
            assert!(!subject.contains(' '), "{subject}");
        }
    }
    let empty = Permissions { publish: Vec::new(), subscribe: Vec::new() };
    assert_eq!(Template { allow: empty.clone(), deny: empty }.lattice(), None);
}

#[test]
fn a_template_gives_nothing_to_names_of_others() {
    for role in [Role::Provider, Role::Tool] {
        let Template { allow, deny } = Template::of(role, &lattice("default"));
        let as_name = |subjects: &[String], name: &str| -> Vec<String> {
            subjects.iter().map(|subject| subject.replace("{{name()}}", name)).collect()
        };
        for name in ["wash", "host", "=user", "wash.x", "=user.anna"] {
            for subject in as_name(&allow.publish, name) {
                assert!(deny.may_publish(&subject), "{name} publishes to {subject}");
            }
            for subject in as_name(&allow.subscribe, name) {
                assert!(deny.may_subscribe(&subject, None), "{name} subscribes to {subject}");
            }
        }
        for name in ["kv", "washer", "host-1", host('A').as_str()] {
            for subject in as_name(&allow.publish, name) {
                assert!(!deny.may_publish(&subject), "{name} cannot publish to {subject}");
            }
            for subject in as_name(&allow.subscribe, name) {
                assert!(!deny.may_subscribe(&subject, None), "{name} cannot subscribe to {subject}");
            }
        }
    }
}

#[test]
fn roles_read_back() {
    for role in Role::ALL {
        assert_eq!(role.name().parse(), Ok(role));
    }
    assert!("root".parse::<Role>().unwrap_err().to_string().contains("host, operator"));
}
