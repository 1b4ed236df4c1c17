//! Every control subject, asked by who must not: the broker refuses, the state stays as it was, and the same subject is served to
//! somebody who may use it.

use anyhow::{bail, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_core::{CtlSubject, CtlVerb, Effect, LatticeName};
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

fn read(scene: &Scene) -> Vec<Request> {
    let host = scene.host.clone();
    let config = "loot".parse().expect("a name");
    let verbs = [
        CtlVerb::HostPing,
        CtlVerb::HostGet(host),
        CtlVerb::LinkGet,
        CtlVerb::ClaimsGet,
        CtlVerb::ConfigGet(config),
        CtlVerb::TrustGet,
        CtlVerb::RoleGet,
    ];
    let auctions = [
        (CtlVerb::ComponentAuction, json!({"component_ref": "a", "component_id": "loot", "constraints": {}})),
        (CtlVerb::ProviderAuction, json!({"provider_ref": "a", "provider_id": "loot", "constraints": {}})),
    ];
    verbs.into_iter().map(|verb| (verb, json!({}))).chain(auctions).collect()
}

/// Asks as `who`, in turn. The first half changes something, the second undoes it.
async fn change(
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
                answer => refused.push((verb.name(), answer)),
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
    match (done, denied.len(), refused.first()) {
        (0, 0, Some((_, Answer::Said(answer)))) => {
            Ok(Outcome::refused(By::Host, "the answer alone", answer["message"].as_str().unwrap_or_default()))
        }
        _ => {
            bail!("{done} were carried out, {} refused by the broker, {refused:?} by the host", denied.len())
        }
    }
}

/// The broker refused all of these. The subjects are real: somebody who may publish there is answered.
async fn by_broker(scene: &Scene, denied: &[(CtlVerb, String)]) -> anyhow::Result<Outcome> {
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
        let (mut denied, mut done, all) = (Vec::new(), 0, read(scene));
        for (verb, body) in &all {
            match ask(&who, &subject(verb), HeaderMap::new(), &body.to_string()).await? {
                Answer::Denied => denied.push((verb.clone(), body.to_string())),
                answer if answer.is_done() => done += 1,
                answer => bail!("{verb:?}: {answer:?}"),
            }
        }
        match (denied.len() == all.len(), done == all.len()) {
            (true, _) => by_broker(scene, &denied).await,
            (_, true) => {
                Ok(Outcome::succeeded("it reads hosts, links, configurations, claims, trust and roles"))
            }
            _ => bail!("{done} of {} were answered, {} denied", all.len(), denied.len()),
        }
    }
    .boxed_local()
}

fn configs() -> (Vec<Request>, Vec<Request>) {
    let name = || "loot".parse().expect("a name");
    (vec![(CtlVerb::ConfigPut(name()), json!({"a": "b"}))], vec![(CtlVerb::ConfigDel(name()), json!({}))])
}

fn links() -> (Vec<Request>, Vec<Request>) {
    let link =
        json!({"source_id": "loot", "target": "outside", "wit_namespace": "wasi", "wit_package": "http"});
    (vec![(CtlVerb::LinkPut, link.clone())], vec![(CtlVerb::LinkDel, link)])
}

/// A command for each thing that can be changed, but for stopping hosts; with what undoes it.
pub(crate) fn everything(scene: &Scene) -> (Vec<Request>, Vec<Request>) {
    let (mut does, mut undoes) = (Vec::new(), Vec::new());
    for (some, back) in [
        configs(),
        links(),
        actors(scene),
        providers(scene),
        labels(scene),
        trust(scene),
        roles(scene),
        rest(scene),
    ] {
        does.extend(some);
        undoes.extend(back);
    }
    (does, undoes)
}

fn actors(scene: &Scene) -> (Vec<Request>, Vec<Request>) {
    let host = || scene.host.clone();
    let image = scene.signer.folder().join("hello_s.wasm");
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

fn providers(scene: &Scene) -> (Vec<Request>, Vec<Request>) {
    let start = json!({"provider_id": "loot-client", "provider_ref": "builtin://http-client"});
    let stop = json!({"provider_id": "loot-client"});
    let host = || scene.host.clone();
    (vec![(CtlVerb::ProviderStart(host()), start)], vec![(CtlVerb::ProviderStop(host()), stop)])
}

fn labels(scene: &Scene) -> (Vec<Request>, Vec<Request>) {
    let host = || scene.host.clone();
    let put = json!({"key": "loot", "value": "1"});
    (vec![(CtlVerb::LabelPut(host()), put)], vec![(CtlVerb::LabelDel(host()), json!({"key": "loot"}))])
}

fn trust(scene: &Scene) -> (Vec<Request>, Vec<Request>) {
    let key = scene.signer.stranger().account().to_owned();
    let forget = json!({"key": key, "forget": true});
    (vec![(CtlVerb::TrustPut, json!({"key": key}))], vec![(CtlVerb::TrustDel, forget)])
}

fn roles(scene: &Scene) -> (Vec<Request>, Vec<Request>) {
    let key = scene.admin.public_key().as_str();
    let put = json!({"key": key, "role": "admin"});
    (vec![(CtlVerb::RolePut, put)], vec![(CtlVerb::RoleDel, json!({"key": key}))])
}

fn rest(scene: &Scene) -> (Vec<Request>, Vec<Request>) {
    let forget = json!({"host_id": scene.host});
    let registry = json!({"registry": "a", "username": "b", "password": "c"});
    (vec![(CtlVerb::HostForget, forget), (CtlVerb::RegistryPut, registry)], Vec::new())
}

macro_rules! from_a_provider {
    ($($(#[$about:meta])* $name:ident: $requests:expr;)*) => {$(
        $(#[$about])*
        pub(crate) fn $name(scene: &mut Scene) -> Attempted<'_> {
            async move {
                let requests: fn(&Scene) -> (Vec<Request>, Vec<Request>) = $requests;
                let (does, undoes) = requests(scene);
                change(scene, &scene.provider(), does, undoes).await
            }
            .boxed_local()
        }
    )*};
}

from_a_provider! {
    /// Configurations, written and deleted.
    put_config: |_| configs();
    /// Links.
    put_link: |_| links();
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
    /// A host that lives forgotten, and registry credentials given away.
    others: rest;
}

/// A viewer's: all that changes anything.
pub(crate) fn as_viewer(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let viewer = scene.people.viewer.clone();
        for verb in [CtlVerb::HostPing, CtlVerb::LinkGet] {
            ensure!(
                ask(&viewer, &subject(&verb), HeaderMap::new(), "{}").await?.is_done(),
                "a viewer may look"
            );
        }
        let (mut does, mut undoes) = everything(scene);
        if scene.open {
            // What hosts refuse of everybody shows nothing of viewers.
            let is_refused = |verb: &CtlVerb| {
                matches!(
                    verb,
                    CtlVerb::HostForget | CtlVerb::RegistryPut | CtlVerb::RolePut | CtlVerb::RoleDel
                )
            };
            does.retain(|(verb, _)| !is_refused(verb));
            undoes.retain(|(verb, _)| !is_refused(verb));
        }
        change(scene, &viewer, does, undoes).await
    }
    .boxed_local()
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
