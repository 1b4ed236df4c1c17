//! What a command names: what limits of a role by names are compared with, and what audit events tell. Pure.
//!
//! Read by the same types as the command itself, so that nothing is judged by one name and done to another.

use std::collections::BTreeSet;

use lattice_control_interface::{
    CallComponentCommand, DeleteLinkCommand, DeleteRoleCommand, DeleteSecretCommand, DeleteTrustCommand,
    ForgetHostCommand, PutRoleCommand, PutSecretCommand, PutTrustCommand, ScaleComponentCommand,
    StartProviderCommand, StopProviderCommand, UpdateComponentCommand,
};
use lattice_core::{ConfigName, CtlVerb, Link};

use super::reply::read;

/// Actors, providers, configurations, secrets and keys that a command names, the one that it is about first; none where it cannot
/// be read. Configurations and secrets that are to be used count, too: who gives one to an actor of his own reads it. So does what
/// `links` name, the lattice's, where they use a configuration that is changed: who says where a link leads, says where its secrets go.
pub(super) fn names<'a>(
    verb: &CtlVerb,
    body: &[u8],
    links: impl IntoIterator<Item = &'a Link>,
) -> Option<Vec<String>> {
    let one = |name: &dyn ToString| vec![name.to_string()];
    let with = |name: &dyn ToString, configs: &[ConfigName]| -> Vec<String> {
        std::iter::once(name.to_string()).chain(configs.iter().map(ToString::to_string)).collect()
    };
    Some(match verb {
        CtlVerb::ComponentScale(_) => {
            let command: ScaleComponentCommand = read("", body).ok()?;
            let secrets = command.secrets.iter().map(ToString::to_string);
            with(&command.component_id, &command.config).into_iter().chain(secrets).collect()
        }
        CtlVerb::ComponentUpdate(_) => one(&read::<UpdateComponentCommand>("", body).ok()?.component_id),
        CtlVerb::ComponentCall(_) => one(&read::<CallComponentCommand>("", body).ok()?.component_id),
        CtlVerb::ProviderStart(_) => {
            let command: StartProviderCommand = read("", body).ok()?;
            with(&command.provider_id, &command.config)
        }
        CtlVerb::ProviderStop(_) => one(&read::<StopProviderCommand>("", body).ok()?.provider_id),
        CtlVerb::LinkPut => {
            let link: Link = read("", body).ok()?;
            let configs = [link.source_config.as_slice(), link.target_config.as_slice()].concat();
            let named = [one(&link.source), with(&link.target, &configs)].concat();
            named.into_iter().chain(secrets_of(&link)).collect()
        }
        CtlVerb::LinkDel => {
            let command: DeleteLinkCommand = read("", body).ok()?;
            let targets = deleted(&command, links).map(|link| link.target.to_string());
            let mut named: BTreeSet<String> =
                targets.chain(command.target.iter().map(ToString::to_string)).collect();
            let source = command.source_id.to_string();
            named.remove(&source);
            std::iter::once(source).chain(named).collect()
        }
        CtlVerb::ConfigPut(name) | CtlVerb::ConfigDel(name) => {
            one(name).into_iter().chain(users_of(name, links)).collect()
        }
        CtlVerb::HostForget => one(&read::<ForgetHostCommand>("", body).ok()?.host_id),
        CtlVerb::TrustPut => one(&read::<PutTrustCommand>("", body).ok()?.key),
        CtlVerb::TrustDel => one(&read::<DeleteTrustCommand>("", body).ok()?.key),
        CtlVerb::RolePut => one(&read::<PutRoleCommand>("", body).ok()?.key),
        CtlVerb::RoleDel => one(&read::<DeleteRoleCommand>("", body).ok()?.key),
        CtlVerb::SecretPut => one(&read::<PutSecretCommand>("", body).ok()?.name),
        CtlVerb::SecretDel => one(&read::<DeleteSecretCommand>("", body).ok()?.name),
        _ => Vec::new(),
    })
}

/// The links that a command deletes: those of its source, contract and name, whichever target they lead to where it names none.
fn deleted<'a>(
    command: &DeleteLinkCommand,
    links: impl IntoIterator<Item = &'a Link>,
) -> impl Iterator<Item = &'a Link> {
    links.into_iter().filter(move |link| {
        link.source == command.source_id
            && link.name == command.name
            && link.wit_namespace == command.wit_namespace
            && link.wit_package == command.wit_package
            && command.target.as_ref().is_none_or(|target| *target == link.target)
    })
}

fn secrets_of(link: &Link) -> impl Iterator<Item = String> {
    link.source_secrets.iter().chain(&link.target_secrets).map(ToString::to_string)
}

/// Ends and secrets of the links that use a configuration, each once.
fn users_of<'a>(config: &ConfigName, links: impl IntoIterator<Item = &'a Link>) -> BTreeSet<String> {
    let uses = |link: &&Link| link.source_config.contains(config) || link.target_config.contains(config);
    let named = |link: &'a Link| {
        [link.source.to_string(), link.target.to_string()].into_iter().chain(secrets_of(link))
    };
    links.into_iter().filter(uses).flat_map(named).collect()
}

#[cfg(test)]
mod tests {
    use lattice_core::HostId;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_names_in_commands() {
        let host = HostId::new(format!("N{}", "B".repeat(55))).unwrap();
        let config = ConfigName::new("web").unwrap();
        let key = format!("U{}", "B".repeat(55));
        let link = json!({
            "source_id": "a", "target": "b", "wit_namespace": "wasi", "wit_package": "http",
            "source_config": ["c"], "target_config": ["d"], "source_secrets": ["e"], "target_secrets": ["f"],
        });
        for (verb, body, expected) in [
            (
                CtlVerb::ComponentScale(host.clone()),
                json!({"component_id": "a", "count": 1, "config": ["x", "y"], "secrets": ["z"]}),
                Some("a x y z"),
            ),
            (CtlVerb::ProviderStop(host.clone()), json!({"provider_ref": "p"}), Some("p")),
            (CtlVerb::LinkPut, link.clone(), Some("a b c d e f")),
            (
                CtlVerb::LinkDel,
                json!({"source_id": "a", "wit_namespace": "wasi", "wit_package": "http"}),
                Some("a"),
            ),
            (CtlVerb::ConfigPut(config), json!({}), Some("web")),
            (CtlVerb::SecretDel, json!({"name": "token"}), Some("token")),
            (CtlVerb::SecretPut, json!({"name": "token"}), None),
            (CtlVerb::RolePut, json!({"key": key, "role": "viewer"}), Some(key.as_str())),
            (CtlVerb::HostStop(host.clone()), json!({}), Some("")),
            (CtlVerb::ComponentScale(host), json!({"component_id": "a.b"}), None),
            (CtlVerb::LinkPut, json!([]), None),
        ] {
            let found = names(&verb, body.to_string().as_bytes(), []).map(|names| names.join(" "));
            assert_eq!(found.as_deref(), expected, "{verb:?} {body}");
        }
        // Of two fields of one name none counts: a reader would have to choose.
        let twice = br#"{"component_id":"a","component_id":"b"}"#;
        assert_eq!(
            names(&CtlVerb::ComponentCall(HostId::new(format!("N{}", "B".repeat(55))).unwrap()), twice, []),
            None
        );
    }

    /// Else who may change links of `shop-a` alone takes the one to `bank` away, as it need not be named.
    #[test]
    fn who_deletes_a_link_touches_its_target_named_or_not() {
        let link = |source: &str, target: &str, package: &str| -> Link {
            let link = json!({"source_id": source, "target": target, "wit_namespace": "wasi", "wit_package": package});
            serde_json::from_value(link).unwrap()
        };
        let links =
            [link("shop-a", "bank", "http"), link("shop-a", "kv", "keyvalue"), link("b", "bank", "http")];
        let body = json!({"source_id": "shop-a", "wit_namespace": "wasi", "wit_package": "http"});
        let found = names(&CtlVerb::LinkDel, body.to_string().as_bytes(), &links).unwrap();
        assert_eq!(found, ["shop-a", "bank"]);
    }

    /// Else who may put the configuration alone leads a link, and the secret that it gives, wherever he likes.
    #[test]
    fn who_changes_a_configuration_touches_the_links_that_use_it() {
        let link = |source: &str, target_config: &[&str], secret: &str| -> Link {
            let link = json!({
                "source_id": source, "target": "out", "wit_namespace": "wasi", "wit_package": "http",
                "source_config": ["mine"], "target_config": target_config, "target_secrets": [secret],
            });
            serde_json::from_value(link).unwrap()
        };
        let links = [link("cart", &["web", "more"], "token"), link("other", &["else"], "key")];
        let config = |name: &str| ConfigName::new(name).unwrap();
        for (name, expected) in [
            ("web", "web cart out token"),
            ("more", "more cart out token"),
            ("mine", "mine cart key other out token"),
            ("unused", "unused"),
        ] {
            for verb in [CtlVerb::ConfigPut(config(name)), CtlVerb::ConfigDel(config(name))] {
                assert_eq!(names(&verb, b"{}", &links).unwrap().join(" "), expected);
            }
        }
        let links = links.iter();
        assert_eq!(names(&CtlVerb::SecretDel, br#"{"name":"token"}"#, links).unwrap(), ["token"]);
    }
}
