//! Every control subject, asked by who must not: the broker refuses, the state stays as it was, and the same subject is served to
//! somebody who may use it.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_claims::{KeyKind, KeyPair, curve_key, seal_secret};
use lattice_control_interface::PutSecretCommand;
use lattice_core::{CtlSubject, CtlVerb, Effect, HostId, LatticeName, Secret, SecretContents};
use lattice_nats::{Connection, HeaderMap};
use serde_json::{Value, json};

use super::broker::{Answer, NATS_LOG, ask};
use crate::{
    attempt::{By, Outcome},
    scene::Scene,
};

/// A request.
pub(crate) type Request = (CtlVerb, Value);
type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// The subject of a request.
pub(crate) fn subject(verb: &CtlVerb) -> String {
    CtlSubject { lattice: LatticeName::default(), verb: verb.clone() }.to_string()
}

/// What requests are about.
pub(crate) struct Aim {
    host: HostId,
    /// An image that would start.
    image: PathBuf,
    /// The key of an account that nobody trusts.
    stranger: String,
    /// The admin's key.
    admin: String,
}

impl Aim {
    pub(crate) fn of(scene: &Scene) -> Self {
        Self {
            host: scene.host.clone(),
            image: scene.signer.folder().join("hello_s.wasm"),
            stranger: scene.signer.stranger().account().to_owned(),
            admin: scene.admin.public_key().to_string(),
        }
    }
}

/// What changes nothing.
pub(super) fn read(aim: &Aim) -> Vec<Request> {
    let config = "loot".parse().expect("a name");
    let verbs = [
        CtlVerb::HostPing,
        CtlVerb::HostGet(aim.host.clone()),
        CtlVerb::LinkGet,
        CtlVerb::ClaimsGet,
        CtlVerb::ConfigGet(config),
        CtlVerb::TrustGet,
        CtlVerb::RoleGet,
        CtlVerb::SecretList,
    ];
    let auctions = [
        (CtlVerb::ComponentAuction, json!({"component_ref": "a", "component_id": "loot", "constraints": {}})),
        (CtlVerb::ProviderAuction, json!({"provider_ref": "a", "provider_id": "loot", "constraints": {}})),
    ];
    verbs.into_iter().map(|verb| (verb, json!({}))).chain(auctions).collect()
}

/// Asks as `who`, in turn. The first half changes something, the second undoes it.
pub(super) async fn change(
    scene: &Scene,
    who: &Connection,
    does: Vec<Request>,
    undoes: Vec<Request>,
) -> anyhow::Result<Outcome> {
    let before = scene.state().await?;
    let (mut denied, mut done) = (Vec::new(), 0);
    let mut refused = Vec::new();
    let halves = [does.as_slice(), undoes.as_slice()];
    for (half, requests) in halves.iter().enumerate() {
        for (verb, body) in *requests {
            match ask(who, &subject(verb), HeaderMap::new(), &body.to_string()).await? {
                Answer::Denied => denied.push((verb.clone(), body.to_string())),
                answer if answer.is_done() => done += 1,
                answer => refused.push((verb.clone(), answer)),
            }
        }
        let is_as_before = scene.state().await? == before;
        ensure!(half == 1 || is_as_before == (done == 0), "the state changed otherwise than the answers say");
    }
    let all = does.len() + undoes.len();
    if denied.len() == all {
        return by_broker(scene, &denied).await;
    }
    if done > 0 && refused.is_empty() && denied.is_empty() {
        return Ok(Outcome::succeeded(format!("all {all} commands were carried out")));
    }
    ensure!(
        done == 0 && denied.is_empty(),
        "{done} were carried out, {} refused by the broker, {refused:?} by the host",
        denied.len()
    );
    let mut evidence = String::new();
    for (verb, answer) in refused {
        let Answer::Said(answer) = answer else { bail!("{verb:?}: {answer:?}") };
        evidence = answer["message"].as_str().unwrap_or_default().to_owned();
        let is_for_that = refused_to_all(&verb).is_some_and(|words| evidence.contains(words));
        ensure!(is_for_that, "{verb:?} is refused for another reason: {evidence}");
    }
    Ok(Outcome::refused(By::Host, "the answer alone", evidence))
}

/// What a host without admins says of a command that it carries out for nobody.
pub(super) fn refused_to_all(verb: &CtlVerb) -> Option<&'static str> {
    match verb {
        CtlVerb::HostForget => Some("lives, and only a lost host is forgotten"),
        CtlVerb::RegistryPut => Some("registry.put is not served by this version"),
        CtlVerb::RolePut | CtlVerb::RoleDel => Some("this host knows no admin"),
        _ => None,
    }
}

/// The broker refused all of these. The subjects are real: somebody who may publish there is answered.
pub(super) async fn by_broker(scene: &Scene, denied: &[(CtlVerb, String)]) -> anyhow::Result<Outcome> {
    for (verb, body) in denied {
        let answer = ask(&scene.people.operator, &subject(verb), HeaderMap::new(), body).await?;
        let expected = match verb.effect() {
            Effect::Reads => answer.is_done(),
            _ => answer.code() == Some("signature-required"),
        };
        ensure!(expected, "{verb:?} of somebody who may publish there: {answer:?}");
    }
    let last = denied.last().map(|(verb, _)| subject(verb)).unwrap_or_default();
    Ok(Outcome::refused(By::Broker, NATS_LOG, scene.nats_log(&["Violation", &last]).await?))
}

/// What is read by looking.
pub(crate) fn look(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let who = scene.provider();
        let (mut denied, mut done, all) = (Vec::new(), 0, read(&Aim::of(scene)));
        for (verb, body) in &all {
            match ask(&who, &subject(verb), HeaderMap::new(), &body.to_string()).await? {
                Answer::Denied => denied.push((verb.clone(), body.to_string())),
                answer if answer.is_done() => done += 1,
                answer => bail!("{verb:?}: {answer:?}"),
            }
        }
        match (denied.len() == all.len(), done == all.len()) {
            (true, _) => by_broker(scene, &denied).await,
            (_, true) => Ok(Outcome::succeeded(
                "it reads hosts, links, configurations, claims, trust, roles and names of secrets",
            )),
            _ => bail!("{done} of {} were answered, {} denied", all.len(), denied.len()),
        }
    }
    .boxed_local()
}

/// Requests that change something, and those that undo it.
type Both = (Vec<Request>, Vec<Request>);

fn configs(_: &Aim) -> Both {
    let name = || "loot".parse().expect("a name");
    (vec![(CtlVerb::ConfigPut(name()), json!({"a": "b"}))], vec![(CtlVerb::ConfigDel(name()), json!({}))])
}

fn links(_: &Aim) -> Both {
    let link =
        json!({"source_id": "loot", "target": "outside", "wit_namespace": "wasi", "wit_package": "http"});
    (vec![(CtlVerb::LinkPut, link.clone())], vec![(CtlVerb::LinkDel, link)])
}

/// A command for each thing that can be changed, but for stopping hosts; with what undoes it.
pub(crate) fn everything(aim: &Aim) -> Both {
    let all: [fn(&Aim) -> Both; 9] = [configs, links, actors, providers, labels, trust, roles, secrets, rest];
    let (mut does, mut undoes) = (Vec::new(), Vec::new());
    for requests in all {
        let (some, back) = requests(aim);
        does.extend(some);
        undoes.extend(back);
    }
    (does, undoes)
}

fn actors(aim: &Aim) -> Both {
    let (host, image) = (|| aim.host.clone(), &aim.image);
    let scale = |count| {
        (
            CtlVerb::ComponentScale(host()),
            json!({"component_id": "loot", "component_ref": image, "count": count}),
        )
    };
    let update = json!({"component_id": "hello", "new_component_ref": image});
    let call = json!({"component_id": "hello", "http": {}});
    let does =
        vec![scale(1), (CtlVerb::ComponentUpdate(host()), update), (CtlVerb::ComponentCall(host()), call)];
    (does, vec![scale(0)])
}

fn providers(aim: &Aim) -> Both {
    let start = json!({"provider_id": "loot-client", "provider_ref": "builtin://http-client"});
    let stop = json!({"provider_id": "loot-client"});
    let host = || aim.host.clone();
    (vec![(CtlVerb::ProviderStart(host()), start)], vec![(CtlVerb::ProviderStop(host()), stop)])
}

fn labels(aim: &Aim) -> Both {
    let host = || aim.host.clone();
    let put = json!({"key": "loot", "value": "1"});
    (vec![(CtlVerb::LabelPut(host()), put)], vec![(CtlVerb::LabelDel(host()), json!({"key": "loot"}))])
}

fn trust(aim: &Aim) -> Both {
    let key = &aim.stranger;
    let forget = json!({"key": key, "forget": true});
    (vec![(CtlVerb::TrustPut, json!({"key": key}))], vec![(CtlVerb::TrustDel, forget)])
}

fn roles(aim: &Aim) -> Both {
    let key = &aim.admin;
    let put = json!({"key": key, "role": "admin"});
    (vec![(CtlVerb::RolePut, put)], vec![(CtlVerb::RoleDel, json!({"key": key}))])
}

/// A secret of the attacker's own; sealed to a key that the host does not have, as by somebody who has not met it.
fn secrets(aim: &Aim) -> Both {
    let name = "loot".parse().expect("a name");
    let secret = Secret::text("loot".to_owned()).expect("it is short");
    let contents = SecretContents { lattice: LatticeName::default(), name, secret };
    let reader = curve_key(KeyPair::generate(KeyKind::Curve).public_key());
    let sealed =
        seal_secret(&contents, &[(aim.host.clone(), reader)].into()).expect("the key is a curve key");
    let put = PutSecretCommand { name: contents.name, kind: "text".to_owned(), sealed };
    (vec![(CtlVerb::SecretPut, json!(put))], vec![(CtlVerb::SecretDel, json!({"name": "loot"}))])
}

fn rest(aim: &Aim) -> Both {
    let forget = json!({"host_id": aim.host});
    let registry = json!({"registry": "a", "username": "b", "password": "c"});
    (vec![(CtlVerb::HostForget, forget), (CtlVerb::RegistryPut, registry)], Vec::new())
}

macro_rules! from_a_provider {
    ($($(#[$about:meta])* $name:ident: $requests:expr;)*) => {$(
        $(#[$about])*
        pub(crate) fn $name(scene: &mut Scene) -> Attempted<'_> {
            async move {
                let requests: fn(&Aim) -> Both = $requests;
                let (does, undoes) = requests(&Aim::of(scene));
                change(scene, &scene.provider(), does, undoes).await
            }
            .boxed_local()
        }
    )*};
}

from_a_provider! {
    /// Configurations, written and deleted.
    put_config: configs;
    /// Links.
    put_link: links;
    /// Actors: started, updated, called, stopped.
    scale_actors: actors;
    /// Providers.
    start_provider: providers;
    /// Labels.
    put_label: labels;
    /// Whom the lattice trusts.
    put_trust: trust;
    /// Who may do what.
    put_role: roles;
    /// Secrets.
    put_secret: secrets;
    /// A host that lives forgotten, and registry credentials given away.
    others: rest;
}

/// The host stopped. The last attempt, since where it succeeds nothing is left.
pub(crate) fn stop_host(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let (who, verb) = (scene.provider(), CtlVerb::HostStop(scene.host.clone()));
        match ask(&who, &subject(&verb), HeaderMap::new(), "{}").await? {
            Answer::Denied => {
                scene.client.get_host_inventory(&scene.host).await?;
                by_broker(scene, &[(verb, "{}".to_owned())]).await
            }
            answer if answer.is_done() => {
                scene.up.wait(crate::scene::WITHIN).await?;
                Ok(Outcome::succeeded("the host and what runs on it are gone"))
            }
            answer => bail!("{answer:?}"),
        }
    }
    .boxed_local()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_control_subject_is_tried() {
        let host = HostId::new(KeyPair::generate(KeyKind::Host).public_key().as_str()).unwrap();
        let text = || "x".to_owned();
        let aim = Aim { host: host.clone(), image: PathBuf::from("x"), stranger: text(), admin: text() };
        let ((does, undoes), looks) = (everything(&aim), read(&aim));
        assert!(looks.iter().all(|(verb, _)| verb.effect() == Effect::Reads));
        assert!(does.iter().chain(&undoes).all(|(verb, _)| verb.effect() != Effect::Reads));
        // Stopping the host is an attempt of its own.
        let tried = does.iter().chain(&undoes).chain(&looks).map(|(verb, _)| verb.name());
        let tried: BTreeSet<&str> = tried.chain([CtlVerb::HostStop(host.clone()).name()]).collect();
        let all = CtlVerb::every(&host, &"x".parse().unwrap());
        assert_eq!(tried, all.iter().map(CtlVerb::name).collect());
    }
}
