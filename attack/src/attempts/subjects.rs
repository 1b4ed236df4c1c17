//! Events, logs, control requests, beats and everything at once: heard and written by who must not.

use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_core::{EventName, LatticeName, ProviderId, ProviderSubject, ProviderVerb, event_subject};

use super::broker::{Listen, Proof, listen, publish};
use crate::{
    attempt::Outcome,
    scene::{Scene, Seat},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

fn heard(subject: &str, said: &str) -> Listen {
    (subject.to_owned(), None, said.to_owned())
}

/// Reads events.
pub(crate) fn read_events(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let wanted = [
            heard("wasmbus.evt.default.>", "wasmbus.evt.default.canary"),
            heard("wasmbus.evt.*.*", "wasmbus.evt.default.canary"),
        ];
        listen(scene, &scene.provider(), &wanted).await
    }
    .boxed_local()
}

/// Reads control requests, or takes them away from the hosts as one of those who serve them.
pub(crate) fn read_control<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let said = "wasmbus.ctl.v1.default.canary.get";
        let group = Some("wasmbus.ctl.v1.default.link".to_owned());
        let wanted =
            [heard("wasmbus.ctl.>", said), ("wasmbus.ctl.v1.default.*.*".to_owned(), group, said.to_owned())];
        listen(scene, &S::connection(scene), &wanted).await
    }
    .boxed_local()
}

/// Reads logs and what is copied of calls, in whatever way versions before and after this one send them.
pub(crate) fn read_logs<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let wanted = [
            heard("wasmbus.log.>", "wasmbus.log.default.canary"),
            heard("wasmbus.tap.>", "wasmbus.tap.default.canary"),
            heard("wasmcloud.logs.>", "wasmcloud.logs.default.canary"),
        ];
        listen(scene, &S::connection(scene), &wanted).await
    }
    .boxed_local()
}

/// Reads everything at once, by the widest wildcards there are.
pub(crate) fn read_everything<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let call = "wasmbus.call.default.hello.nobody.x.y";
        let wanted = [heard(">", call), heard("wasmbus.>", call), heard("*.*.default.>", call)];
        listen(scene, &S::connection(scene), &wanted).await
    }
    .boxed_local()
}

/// Writes an event of every kind.
pub(crate) fn write_events<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let lattice = LatticeName::default();
        let subject = |name: &EventName| event_subject(&lattice, Some(*name));
        // What hosts themselves look at, who is lost and who is back, does not read, and does no harm.
        let subjects: Vec<String> = EventName::ALL.iter().map(subject).collect();
        publish(scene, &S::connection(scene), &subjects, r#"{"type":"forged"}"#, Proof::Sent).await
    }
    .boxed_local()
}

/// Writes logs.
pub(crate) fn write_logs<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let subjects = ["wasmbus.log.default.x", "wasmbus.tap.default.x", "wasmcloud.logs.default.x"];
        publish(scene, &S::connection(scene), &subjects.map(str::to_owned), "forged", Proof::Sent).await
    }
    .boxed_local()
}

/// Tells the providers of others that they are healthy, linked or at their end, as a host does.
pub(crate) fn steer_providers<S: Seat>(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let provider: ProviderId = "outside".parse()?;
        let subject = |verb| {
            ProviderSubject { lattice: LatticeName::default(), provider: provider.clone(), verb }.to_string()
        };
        let subjects = ProviderVerb::ALL.map(subject);
        publish(scene, &S::connection(scene), &subjects, "{}", Proof::Sent).await
    }
    .boxed_local()
}
