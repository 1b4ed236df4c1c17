//! What a provider's process tells its host of itself, and of others.

use std::sync::{Mutex, PoisonError};

use anyhow::{bail, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_control_interface::{DeleteLinkCommand, HostInventory};
use lattice_core::{LatticeName, Link, LinkKey, ProviderVerb, State};
use lattice_nats::{HostLine, Said};
use lattice_provider_sdk::wire::{HealthAnswer, LinkAnswer, LinkDefinition, PROTOCOL, ServedInterface};
use lattice_testkit::until;

use super::sandbox::tell;
use crate::{
    attempt::{By, Outcome},
    scene::{Inside, Program, Scene, WITHIN, link},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// What the liar has been told, and tells.
struct Tales {
    instance: String,
    /// Links of others, and how it says that they fare. No version is too new for it.
    of_others: Vec<LinkAnswer>,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    /// Its own link, as its host told it.
    own: Option<LinkAnswer>,
    /// What its host told it to forget.
    forget: Vec<LinkKey>,
}

impl Tales {
    /// How it says that it is: well, serving what others serve, with links of others.
    fn health(&self, heard: &Heard) -> HealthAnswer {
        let serves = |package: &str, interface: &str| ServedInterface {
            namespace: "wasi".to_owned(),
            package: package.to_owned(),
            interface: interface.to_owned(),
            calls_actors: false,
        };
        HealthAnswer {
            healthy: true,
            protocol: Some(PROTOCOL),
            instance_id: self.instance.clone(),
            state: (&State::Ready).into(),
            serves: vec![serves("keyvalue", "store"), serves("http", "outgoing-handler")],
            links: self.of_others.iter().cloned().chain(heard.own.clone()).collect(),
            credentials: 1,
            ..HealthAnswer::default()
        }
    }

    fn answer(&self, said: &Said) -> anyhow::Result<Vec<u8>> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let definition = || anyhow::Ok(serde_json::from_slice::<LinkDefinition>(&said.payload)?);
        Ok(match said.verb {
            ProviderVerb::Health => serde_json::to_vec(&self.health(&heard))?,
            ProviderVerb::PutLink => {
                let link = definition()?;
                let answer = LinkAnswer::new(&link.key()?, &broken(), link.generation);
                heard.own = Some(answer.clone());
                serde_json::to_vec(&answer)?
            }
            ProviderVerb::DeleteLink => {
                let link = definition()?;
                heard.forget.push(link.key()?);
                serde_json::to_vec(&LinkAnswer::new(&link.key()?, &State::Ready, 0))?
            }
            ProviderVerb::Shutdown | ProviderVerb::UpdateConfig | ProviderVerb::RenewCredentials => {
                b"{}".to_vec()
            }
        })
    }

    /// Answers its host for as long as it is polled.
    async fn tell(&self, line: &mut HostLine) -> anyhow::Result<()> {
        while let Some(said) = line.next().await {
            said.answer(self.answer(&said)?).await?;
        }
        Ok(())
    }

    /// Whether its host told it to forget every link that is not its own.
    fn is_to_forget_all(&self) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        self.of_others.iter().filter_map(|one| one.link.key()).all(|key| heard.forget.contains(&key))
    }
}

/// How it says that links fare, its own and one of others.
fn broken() -> State {
    State::Failed("the liar says that it is broken".to_owned())
}

/// How a link fares there.
fn state(inventory: &HostInventory, source: &str, target: &str) -> Option<String> {
    let mut links = inventory.links.iter().flatten();
    let found = links.find(|link| link.source_id.as_str() == source && link.target.as_str() == target)?;
    Some(found.state.clone())
}

async fn unlink(scene: &Scene, link: &Link) -> anyhow::Result<()> {
    scene.client.delete_link(&DeleteLinkCommand::from(&link.key()?)).await?;
    Ok(())
}

/// Says that it serves what others serve, that a link of another provider is broken, and one to nobody ready. What it says of the one
/// link that is its own, broken as well, is believed.
pub(crate) fn of_others(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let own = link("friend", "liar", ("wasi", "keyvalue"))?;
        let theirs = link("tourist", "outside", ("wasi", "http"))?;
        let made_up = link("idler", "nobody", ("wasi", "keyvalue"))?;
        scene.client.put_link(&own).await?;
        scene.client.put_link(&made_up).await?;
        let liar = scene.site().enter("liar", Program::Mute).await?;
        let Inside { id, told, connection, .. } = &liar;
        let tale = |link: &Link, state| anyhow::Ok(LinkAnswer::new(&link.key()?, state, u64::MAX));
        let of_others = vec![tale(&theirs, &broken())?, tale(&made_up, &State::Ready)?];
        let tales = Tales { instance: told.instance_id.clone(), of_others, heard: Mutex::default() };
        let mut line = HostLine::open(connection, &LatticeName::default(), id, &scene.host).await?;
        let believed = async || {
            let inventory = scene.client.get_host_inventory(&scene.host).await.ok()?;
            let own_is_broken = state(&inventory, "friend", "liar")? == "failed";
            (own_is_broken && tales.is_to_forget_all()).then_some(inventory)
        };
        let inventory = tokio::select! {
            told = tales.tell(&mut line) => return told.and_then(|()| bail!("its host says nothing more")),
            inventory = until("it is believed of its own link, and told to forget the others", WITHIN, believed) => inventory?,
        };
        let (theirs, made_up_is) = (state(&inventory, "tourist", "outside"), state(&inventory, "idler", "nobody"));
        let (status, _) = tell(scene, "idler", "/").await?;
        scene.client.stop_provider(&scene.host, id).await?;
        unlink(scene, &own).await?;
        unlink(scene, &made_up).await?;
        if theirs.as_deref() != Some("ready") || made_up_is.as_deref() == Some("ready") || status == 200 {
            return Ok(Outcome::succeeded(format!(
                "links of others are {theirs:?} and {made_up_is:?}, as it says; an actor answers {status}"
            )));
        }
        let forget = tales.of_others.iter().filter_map(|one| one.link.key()).map(|key| key.to_string());
        let forget = forget.collect::<Vec<_>>().join(", ");
        ensure!(!forget.is_empty(), "it told of no links");
        let evidence = format!("its host tells it to forget {forget}; they are {theirs:?} and {made_up_is:?}");
        Ok(Outcome::refused(By::Host, "inventory, wash get links", evidence))
    }
    .boxed_local()
}
