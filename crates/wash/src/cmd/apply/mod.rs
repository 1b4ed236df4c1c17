//! `wash apply`: makes a lattice run what a manifest says. Doing it again changes nothing.

mod actors;
mod reply;
mod settle;

use std::{path::PathBuf, time::Duration};

use lattice_control_interface::{Annotations, ProviderDescription, StartProviderCommand};
use lattice_core::EntityId;
use lattice_manifest::{Plan, Provider};

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    lattice::{ConnectionArgs, Session, Wanted, Workload, all_inventories, choose, failed},
    manifest,
    output::Output,
};
pub(super) use reply::Applied;
use reply::{Did, Item};
pub(super) use settle::wait as settled;

/// Which manifest.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wash apply -m manifests/quickstart.yaml")]
pub(crate) struct Args {
    /// The manifest
    #[arg(short, long, value_name = "FILE", required_unless_present = "file")]
    manifest: Option<PathBuf>,
    /// The manifest, as a word of its own
    #[arg(value_name = "FILE", conflicts_with = "manifest", hide = true)]
    file: Option<PathBuf>,
    /// Longest wait for each actor and provider to start, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    wait_timeout_ms: u64,
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(crate) async fn run(args: Args, out: &Output) -> Outcome {
    let file = args.manifest.or(args.file).unwrap_or_default();
    let manifest = manifest::load(out, &file)?;
    if !manifest.labels().0.is_empty() {
        out.note("labels are for a host that is started with the manifest; `wash apply` leaves hosts' labels alone");
    }
    let session = args.connection.connect().await?;
    let patience = Duration::from_millis(args.wait_timeout_ms);
    let plan = manifest.plan();
    let progress = out.progress(format!("applying {}", manifest.app()));
    let mut applied = Applied::new(manifest.app().to_string());
    configs(&session, plan, &mut applied).await?;
    for provider in &plan.providers {
        progress.set(format!("provider {}", provider.id));
        let item = start_provider(&session, manifest.app(), provider, patience).await?;
        applied.providers.push(item);
    }
    for actor in &plan.actors {
        progress.set(format!("actor {}", actor.id));
        let items = actors::run(&session, out, manifest.app(), actor, patience).await?;
        applied.actors.extend(items);
    }
    links(&session, plan, &mut applied).await?;
    progress.set("waiting until all is settled");
    settle::wait(&session, plan, &mut applied).await?;
    drop(progress);
    match applied.failures() {
        failures if failures.is_empty() => out.reply(&applied),
        failures => {
            let text =
                format!("{} is applied, but not all of it works:\n{}", manifest.app(), failures.join("\n"));
            Err(Failure::say(Exit::Refused, text)
                .help("what failed is tried again by itself; see `wash get inventory`"))
        }
    }
}

async fn configs(session: &Session, plan: &Plan, applied: &mut Applied) -> Outcome {
    for config in &plan.configs {
        let now = session.client.get_config(&config.name).await.map_err(failed)?;
        let did = if now.as_ref() == Some(&config.values) {
            Did::Unchanged
        } else {
            session.client.put_config(&config.name, &config.values).await.map_err(failed)?;
            if now.is_some() { Did::Changed } else { Did::Made }
        };
        applied.configs.push(Item::new(config.name.as_str(), did));
    }
    Ok(())
}

/// Starts a provider, unless it runs somewhere already.
async fn start_provider(
    session: &Session,
    app: &EntityId,
    provider: &Provider,
    patience: Duration,
) -> Outcome<Item> {
    let inventories = all_inventories(session).await?;
    let image = provider.image.to_string();
    let runs = inventories.iter().find_map(|host| {
        let running = host.providers.iter().find(|one| one.id == provider.id)?;
        Some((host.host_id.clone(), is_same(running, provider)))
    });
    let (host, did) =
        match runs {
            Some((host, true)) => return Ok(Item::on(provider.id.as_str(), Did::Unchanged, host)),
            Some((host, false)) => {
                session.client.with_timeout(patience).stop_provider(&host, &provider.id).await.map_err(
                    |error| failed(error).context(format!("cannot replace provider {}", provider.id)),
                )?;
                (host, Did::Changed)
            }
            None => {
                let workload = Workload::Provider { id: provider.id.to_string(), image: image.clone() };
                (choose(session, &workload, &Wanted::default()).await?, Did::Made)
            }
        };
    let mut command = StartProviderCommand::new(provider.id.clone(), image);
    command.config = provider.config.clone();
    command.annotations = Some(belongs_to(app));
    session
        .client
        .start_provider_and_wait(&host, &command, patience)
        .await
        .map_err(|error| failed(error).context(format!("cannot start provider {}", provider.id)))?;
    Ok(Item::on(provider.id.as_str(), did, host))
}

/// The annotation by which tools, hosts with a manifest among them, tell the app of what runs.
fn belongs_to(app: &EntityId) -> Annotations {
    Annotations::from([("wasmcloud.dev/appspec".to_owned(), app.to_string())])
}

/// Whether what runs is what is wanted. Hosts of v1 do not tell configurations; what they run is left alone.
fn is_same(running: &ProviderDescription, wanted: &Provider) -> bool {
    bare(running.image_ref.as_deref().unwrap_or_default()) == bare(&wanted.image.to_string())
        && running.config.as_ref().is_none_or(|config| *config == wanted.config)
}

/// A reference without its scheme, as hosts show those of providers.
fn bare(image: &str) -> &str {
    image.split_once("://").map_or(image, |(_, rest)| rest)
}

async fn links(session: &Session, plan: &Plan, applied: &mut Applied) -> Outcome {
    let now = session.client.get_links().await.map_err(failed)?;
    for link in &plan.links {
        let key = link.key().map_err(Failure::refused)?;
        let same = now.iter().find(|other| other.key().is_ok_and(|other| other == key));
        let did = match same {
            Some(other) if other == link => Did::Unchanged,
            other => {
                let put = session.client.put_link(link).await;
                put.map_err(|error| failed(error).context(format!("cannot put the link {key}")))?;
                if other.is_some() { Did::Changed } else { Did::Made }
            }
        };
        applied.links.push(Item::new(&key.to_string(), did));
    }
    Ok(())
}
