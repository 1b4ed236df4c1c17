//! What is to be done about one actor: a pure machine, `(state, event) -> (state, effects)`, without clock or I/O.
//!
//! Level-triggered: with each event comes what runs at that moment, and what was asked for last is compared with it. One step
//! is under way at a time. Events that nobody waits for any more (a pause that was cut short, links for a start that was
//! given up) do nothing, and whatever is asked for twice is there already the second time.

use std::time::Duration;

use lattice_core::SecretName;
use lattice_runtime::Interface;

use super::ActorSpec;
use crate::pause::Pause;

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// Run this; with concurrency 0: run nothing.
    pub(super) spec: ActorSpec,
    /// Another image may take the place of the one that runs.
    pub(super) replace: bool,
    /// What may pass is tried again until it works, or somebody asks for something else.
    pub(super) insist: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one of it at a time")]
pub(super) enum Event {
    /// Somebody asks for something. Comes between steps.
    Asked(Wish),
    /// The image that was to be looked at has other bytes than those that run, or the same.
    Seen { other_bytes: bool },
    /// The step has been taken.
    Done,
    /// The step failed.
    Failed(Hope),
    /// The links or secrets that were waited for are there.
    Linked,
    /// The pause is over.
    Rested,
}

/// What may make a step succeed that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hope {
    /// Nothing but another wish.
    None,
    /// Time: what is away may come back, what is not there yet may be pushed or built.
    Time,
    /// Links for these imports.
    Links(Vec<Interface>),
    /// These secrets, on this host.
    Secrets(Vec<SecretName>),
}

/// A step that leads from what runs to what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing runs, and nothing shall: forget what is known of it.
    Forget(ActorSpec),
    /// Stop what runs.
    Stop,
    /// Start it; nothing runs.
    Start(ActorSpec),
    /// Start it in place of what runs, which goes on until then.
    Replace(ActorSpec),
    /// Look whether the image means other bytes than those that run.
    Look(ActorSpec),
    /// Start the same bytes under these terms in place of what runs.
    Restart(ActorSpec),
    /// Let what runs serve another number of calls at once.
    Resize(ActorSpec),
    /// It runs as was asked: say so.
    Confirm(ActorSpec),
}

impl Step {
    /// What it starts or forgets; none for a stop.
    pub(super) fn spec(&self) -> Option<&ActorSpec> {
        match self {
            Step::Stop => None,
            Step::Forget(spec)
            | Step::Start(spec)
            | Step::Replace(spec)
            | Step::Look(spec)
            | Step::Restart(spec)
            | Step::Resize(spec)
            | Step::Confirm(spec) => Some(spec),
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one of it at a time")]
pub(super) enum Effect {
    /// Whoever asked before gets no answer any more: the wish was given up for another one.
    GiveUp,
    /// Take this step, and tell how it went.
    Take(Step),
    /// Tell whoever asked how the last step went: nothing more will be done by itself, or not soon.
    Settle,
    /// Wait until there are links for these imports, or somebody asks for something.
    AwaitLinks(Vec<Interface>),
    /// Wait until this host has these secrets, or somebody asks for something.
    AwaitSecrets(Vec<SecretName>),
    /// Wait so long, or until somebody asks for something.
    Rest(Duration),
}

/// What one actor's machine is at.
#[derive(Debug, Default)]
enum At {
    /// Nothing is wanted that is not there.
    #[default]
    Peace,
    /// A step is under way.
    Step(Wish),
    /// A start is held up by links or secrets alone.
    Unlinked(Wish),
    /// A step failed, and is tried again after a pause.
    Resting(Wish),
}

/// The machine of one actor.
#[derive(Debug)]
pub(super) struct Machine {
    at: At,
    pause: Pause,
}

impl Machine {
    pub(super) fn new() -> Self {
        Self { at: At::Peace, pause: Pause::new() }
    }

    /// True if nothing is under way, and nothing waited for.
    pub(super) fn is_at_peace(&self) -> bool {
        matches!(self.at, At::Peace)
    }

    /// Takes an event in; what is to be done about it, in order. `runs` is what runs now.
    pub(super) fn on(&mut self, event: Event, runs: Option<&ActorSpec>) -> Vec<Effect> {
        match (std::mem::take(&mut self.at), event) {
            (at @ (At::Peace | At::Unlinked(_) | At::Resting(_)), Event::Asked(wish)) => {
                self.asked(at, wish, runs)
            }
            (At::Step(wish), Event::Seen { other_bytes }) => {
                let step = match runs {
                    Some(now) if !other_bytes => adjust(now, &wish.spec),
                    Some(_) => Step::Replace(wish.spec.clone()),
                    None => Step::Start(wish.spec.clone()),
                };
                self.take(wish, step)
            }
            (At::Step(_), Event::Done) => vec![Effect::Settle],
            (At::Step(wish), Event::Failed(hope)) => self.failed(wish, hope, runs),
            (At::Unlinked(wish), Event::Linked) | (At::Resting(wish), Event::Rested) => {
                let step = first_step(&wish, runs);
                self.take(wish, step)
            }
            // Nobody waits for it any more.
            (at, _) => {
                self.at = at;
                Vec::new()
            }
        }
    }

    fn asked(&mut self, at: At, mut wish: Wish, runs: Option<&ActorSpec>) -> Vec<Effect> {
        let step = first_step(&wish, runs);
        self.pause = Pause::new();
        let mut effects = Vec::new();
        match at {
            // Who asks for the same again calls off no insisting.
            At::Resting(before) | At::Unlinked(before) if before.spec == wish.spec => {
                wish.insist |= before.insist;
            }
            At::Resting(_) => effects.push(Effect::GiveUp),
            _ => {}
        }
        effects.extend(self.take(wish, step));
        effects
    }

    fn take(&mut self, wish: Wish, step: Step) -> Vec<Effect> {
        self.at = At::Step(wish);
        vec![Effect::Take(step)]
    }

    fn failed(&mut self, wish: Wish, hope: Hope, runs: Option<&ActorSpec>) -> Vec<Effect> {
        match hope {
            Hope::Time if wish.insist => {
                self.at = At::Resting(wish);
                vec![Effect::Rest(self.pause.take())]
            }
            // What runs goes on as it is: who wanted it replaced has been told why it was not.
            Hope::Links(imports) if runs.is_none() => {
                self.at = At::Unlinked(wish);
                vec![Effect::Settle, Effect::AwaitLinks(imports)]
            }
            Hope::Secrets(names) if runs.is_none() => {
                self.at = At::Unlinked(wish);
                vec![Effect::Settle, Effect::AwaitSecrets(names)]
            }
            Hope::None | Hope::Time | Hope::Links(_) | Hope::Secrets(_) => vec![Effect::Settle],
        }
    }
}

/// The first step from what runs to what is wished for.
fn first_step(wish: &Wish, runs: Option<&ActorSpec>) -> Step {
    let Wish { spec, replace, .. } = wish;
    match runs {
        None if spec.concurrency == 0 => Step::Forget(spec.clone()),
        None => Step::Start(spec.clone()),
        Some(_) if spec.concurrency == 0 => Step::Stop,
        Some(now) if !replace => adjust(now, spec),
        // A file or a tag may mean other bytes than it did when they were started.
        Some(now) if now.image_text == spec.image_text => Step::Look(spec.clone()),
        Some(_) => Step::Replace(spec.clone()),
    }
}

/// The same image under other terms: another concurrency or queue takes effect at once; other limits, configuration
/// or secrets need new instances.
fn adjust(now: &ActorSpec, asked: &ActorSpec) -> Step {
    let after = ActorSpec {
        concurrency: asked.concurrency,
        queue: asked.queue,
        reuse: asked.reuse,
        limits: asked.limits.clone(),
        config: asked.config.clone(),
        secrets: asked.secrets.clone(),
        ..now.clone()
    };
    let terms =
        |spec: &ActorSpec| (spec.limits.clone(), spec.config.clone(), spec.secrets.clone(), spec.reuse);
    if terms(now) != terms(&after) {
        Step::Restart(after)
    } else if (now.concurrency, now.queue) != (after.concurrency, after.queue) {
        Step::Resize(after)
    } else {
        Step::Confirm(after)
    }
}
