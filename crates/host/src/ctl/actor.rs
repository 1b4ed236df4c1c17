//! `component.auction`, `component.scale`, `component.update`. `component` is v1's word for actor.

use std::collections::BTreeMap;

use lattice_control_interface::{
    ComponentAuctionAck, ComponentAuctionRequest, LIMIT_CPU_TIME_MS, LIMIT_EXECUTION_TIME_S,
    LIMIT_MEMORY_BYTES, ScaleComponentCommand, UpdateComponentCommand,
};
use lattice_core::{ImageRef, QUEUE_MAX};

use super::{
    Ctl,
    reply::{Answer, Outcome, not_kept, read, said},
};
use crate::actors::{ActorSpec, ActorView, Limits, ScaleRefused};

impl Ctl {
    /// Silent unless this host could run the actor and does not yet.
    pub(super) fn actor_auction(&self, body: &[u8]) -> Outcome<ComponentAuctionAck> {
        let request: ComponentAuctionRequest = read("component auction", body)?;
        let runs = self.actors.view(&request.component_id).is_some_and(|view| view.running.is_some());
        if runs || !self.about.labels().satisfy(&request.constraints) {
            return Ok(Answer::Silence);
        }
        Ok(Answer::Data(ComponentAuctionAck {
            component_ref: request.component_ref,
            component_id: request.component_id,
            host_id: self.about.id.clone(),
            constraints: request.constraints,
        }))
    }

    /// Acknowledged when it is on record here; the outcome is told by event.
    pub(super) async fn actor_scale(&self, body: &[u8]) -> Outcome {
        let command: ScaleComponentCommand = read("component scale", body)?;
        self.is_for_us(&command.host_id)?;
        if self.builtins.table.runs(command.component_id.as_str()) {
            return Err(format!(
                "{} is the id of a provider on this host; give the actor another",
                command.component_id
            ));
        }
        let running = self.actors.view(command.component_id.as_str()).filter(|view| view.running.is_some());
        let spec = spec_of(&command, running.as_ref())?;
        let other_image =
            running.filter(|view| view.spec.image_text != spec.image_text && spec.concurrency > 0);
        let answer = match (&other_image, command.allow_update) {
            (Some(view), false) => format!(
                "Requested to scale existing component to a different image reference: {} != {}. The component will \
                 not be updated; allow it to be updated, or stop it first",
                view.spec.image_text, spec.image_text
            ),
            (Some(view), true) => format!(
                "Requested to scale existing component to a different image reference: {} != {}. The component will \
                 be updated",
                view.spec.image_text, spec.image_text
            ),
            (None, _) => String::new(),
        };
        self.queue(spec, command.allow_update).await?;
        said(answer)
    }

    pub(super) async fn actor_update(&self, body: &[u8]) -> Outcome {
        let command: UpdateComponentCommand = read("component update", body)?;
        self.is_for_us(&command.host_id)?;
        let id = &command.component_id;
        let running = self.actors.view(id.as_str()).filter(|view| view.running.is_some());
        let Some(view) = running else { return Err(format!("component {id} not found")) };
        let (from, to) = (view.spec.image_text.clone(), command.new_component_ref);
        if from == to {
            return said(format!("component {id} already updated to {to}"));
        }
        let image: ImageRef = to.parse().map_err(|error| format!("{error}"))?;
        let annotations = command.annotations.unwrap_or_else(|| view.spec.annotations.clone());
        let spec = ActorSpec { image, image_text: to.clone(), annotations, ..view.spec };
        self.queue(spec, true).await?;
        said(format!("component {id} updating from {from} to {to}"))
    }

    async fn queue(&self, spec: ActorSpec, replace: bool) -> Result<(), String> {
        let id = spec.id.clone();
        let running = self.actors.view(id.as_str()).filter(|view| view.running.is_some());
        let expected = expected(&spec, running.as_ref(), replace);
        if matches!(spec.image, ImageRef::File(_)) && spec.concurrency > 0 && !self.allow_files {
            return Err(format!(
                "this host starts no files at the request of others: {} is one; push it to a registry, or start the host \
                 with --allow-file-load",
                spec.image_text
            ));
        }
        let outcome = self.crew.scale(spec, replace).map_err(|refused| match refused {
            ScaleRefused::Busy => {
                format!("too many commands wait for actor {id}; wait for their events and try again")
            }
            ScaleRefused::Stopping => "the host is stopping; start it on another one".to_owned(),
        })?;
        // The outcome is told by event; who asked does not wait for it.
        let kept = self.record.actor(&expected).await;
        self.record.settle_actor(id, self.actors.clone(), outcome);
        kept.map_err(not_kept)
    }
}

/// What will run if the command does what it says: without leave to replace it, the image stays.
fn expected(asked: &ActorSpec, running: Option<&ActorView>, replace: bool) -> ActorSpec {
    let stays =
        |view: &&ActorView| asked.concurrency > 0 && (!replace || view.spec.image_text == asked.image_text);
    match running.filter(stays) {
        None => asked.clone(),
        Some(view) => ActorSpec {
            image: view.spec.image.clone(),
            image_text: view.spec.image_text.clone(),
            annotations: view.spec.annotations.clone(),
            ..asked.clone()
        },
    }
}

/// What a command asks for. Stopping needs no image: that of the running actor stands in.
fn spec_of(command: &ScaleComponentCommand, running: Option<&ActorView>) -> Result<ActorSpec, String> {
    let image_text = match (&command.component_ref, running) {
        (text, Some(view)) if text.is_empty() => view.spec.image_text.clone(),
        (text, _) => text.clone(),
    };
    let image = match (image_text.parse::<ImageRef>(), command.count) {
        (Ok(image), _) => image,
        // A stop of something that runs under another name, or not at all, fetches nothing.
        (Err(_), 0) => running.map_or(ImageRef::File("nothing".into()), |view| view.spec.image.clone()),
        (Err(error), _) => return Err(format!("{error}")),
    };
    if let Some(asked) = command.max_queued.filter(|asked| *asked > QUEUE_MAX) {
        return Err(format!("max_queued is {asked}; at most {QUEUE_MAX} calls may wait"));
    }
    Ok(ActorSpec {
        id: command.component_id.clone(),
        image,
        image_text,
        concurrency: command.count,
        queue: command.max_queued,
        reuse: command.reuse.unwrap_or(1).max(1),
        limits: limits_of(command.component_limits.as_ref()),
        annotations: command.annotations.clone().unwrap_or_default(),
        config: command.config.clone(),
        secrets: command.secrets.clone(),
    })
}

/// v1: decimal integers as text; what cannot be read is ignored.
fn limits_of(given: Option<&BTreeMap<String, String>>) -> Limits {
    let number = |key: &str| given.and_then(|map| map.get(key)).and_then(|text| text.parse::<u64>().ok());
    Limits {
        memory_bytes: number(LIMIT_MEMORY_BYTES),
        wall_ms: number(LIMIT_EXECUTION_TIME_S).map(|seconds| seconds.saturating_mul(1000)),
        cpu_ms: number(LIMIT_CPU_TIME_MS),
    }
}
