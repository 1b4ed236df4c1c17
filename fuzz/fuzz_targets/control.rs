//! The JSON of the control protocol, of events, and of what facts hold.
#![no_main]

use std::fmt::Debug;

use lattice_control_interface::{
    CallComponentCommand, CallComponentReply, ClaimsMap, ComponentAuctionAck, ComponentAuctionRequest,
    ConfigMap, CtlResponse, DeleteLinkCommand, DeleteRoleCommand, DeleteSecretCommand, DeleteTrustCommand,
    ForgetHostCommand, Host, HostInventory, HostLabel, LinkStatus, ProviderAuctionAck,
    ProviderAuctionRequest, PutRoleCommand, PutSecretCommand, PutTrustCommand, RoleChange, RoleEntry,
    ScaleComponentCommand, SecretChange, SecretEntry, StartProviderCommand, StopHostCommand,
    StopProviderCommand, TrustChange, TrustEntry, UpdateComponentCommand,
    events::{
        ActorStateChanged, CallRefused, ComponentScaleFailed, ComponentScaled, ConfigDeleted, ConfigSet,
        ControlAudit, ControlRefused, EventData, FactOverridden, HostBack, HostLost, HostStarted,
        HostStateChanged, HostStopped, LabelsChanged, LinkStateChanged, LinkdefDeleted, LinkdefSetFailed,
        ProviderStartFailed, ProviderStarted, ProviderStateChanged, ProviderStopped,
    },
};
use lattice_core::{
    CtlVerb, EntityId, Event, Grant, HostFact, Labels, Link, RoleFact, SecretFact, Target, TrustFact,
};
use lattice_fuzz::{bounded, told};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

fuzz_target!(|data: &[u8]| bounded(data, 512, read));

fn read(data: &[u8]) {
    // What is no JSON is none for any of them.
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    // A float may come back as its neighbour: serde_json reads fast rather than to the last bit.
    let exact = !has_float(&value);
    commands(data, exact);
    answers(data, exact);
    if let Some(link) = same_again::<Link>(data, exact) {
        let _ = (link.check(), link.key(), link.grants("store"), link.conflicts_with(&link));
    }
    if let Some(fact) = same_again::<HostFact>(data, exact) {
        let targets = fact.actors.iter().map(|actor| EntityId::from(actor.id.clone()));
        assert!(targets.filter(|target| fact.answers_for(target)).count() <= fact.actors.len());
    }
    trust_and_roles(data, exact);
    secrets(data, exact);
    if let Some(event) = same_again::<Event>(data, exact) {
        event_data(&event);
    }
}

fn commands(data: &[u8], exact: bool) {
    same_again::<CallComponentCommand>(data, exact);
    same_again::<ScaleComponentCommand>(data, exact);
    same_again::<UpdateComponentCommand>(data, exact);
    same_again::<ComponentAuctionRequest>(data, exact);
    same_again::<StartProviderCommand>(data, exact);
    same_again::<StopProviderCommand>(data, exact);
    same_again::<ProviderAuctionRequest>(data, exact);
    same_again::<DeleteLinkCommand>(data, exact);
    same_again::<StopHostCommand>(data, exact);
    same_again::<HostLabel>(data, exact);
    same_again::<ForgetHostCommand>(data, exact);
    same_again::<ConfigMap>(data, exact);
    same_again::<PutTrustCommand>(data, exact);
    same_again::<DeleteTrustCommand>(data, exact);
    same_again::<DeleteRoleCommand>(data, exact);
    if let Some(command) = same_again::<PutRoleCommand>(data, exact) {
        reaches(&command.grant);
    }
}

/// What facts and answers say of who may do what.
fn trust_and_roles(data: &[u8], exact: bool) {
    same_again::<TrustFact>(data, exact);
    if let Some(fact) = same_again::<RoleFact>(data, exact) {
        reaches(&fact.grant);
    }
    same_again::<CtlResponse<Vec<TrustEntry>>>(data, exact);
    same_again::<CtlResponse<TrustChange>>(data, exact);
    same_again::<CtlResponse<Vec<RoleEntry>>>(data, exact);
    same_again::<CtlResponse<RoleChange>>(data, exact);
}

/// What commands, facts and answers say of secrets; none of it is one in the clear.
fn secrets(data: &[u8], exact: bool) {
    same_again::<DeleteSecretCommand>(data, exact);
    let command = same_again::<PutSecretCommand>(data, exact).map(|command| command.sealed);
    let fact = same_again::<SecretFact>(data, exact).map(|fact| fact.sealed);
    for sealed in command.iter().chain(&fact) {
        if let Err(why) = sealed.check() {
            told(why);
        }
        assert!(sealed.readers.iter().all(|(host, reader)| sealed.is_for(host, &reader.xkey)));
    }
    same_again::<CtlResponse<Vec<SecretEntry>>>(data, exact);
    same_again::<CtlResponse<SecretChange>>(data, exact);
}

/// A word that is not known is a viewer's, and a viewer changes nothing.
fn reaches(grant: &Grant) {
    let names: Vec<String> = grant.names.iter().map(|pattern| pattern.replace('*', "x")).collect();
    let labels = Labels(grant.hosts.clone());
    let target = Target { verb: &CtlVerb::LinkPut, labels: &labels, names: Some(&names) };
    match grant.allows(&target) {
        Ok(()) => assert!(matches!(&*grant.role, "operator" | "admin"), "{grant:?}"),
        Err(denied) => drop((denied.code(), denied.to_string())),
    }
}

fn answers(data: &[u8], exact: bool) {
    same_again::<CtlResponse<Host>>(data, exact);
    same_again::<CtlResponse<HostInventory>>(data, exact);
    same_again::<CtlResponse<Vec<Link>>>(data, exact);
    same_again::<CtlResponse<Vec<ClaimsMap>>>(data, exact);
    same_again::<CtlResponse<ConfigMap>>(data, exact);
    same_again::<CtlResponse<CallComponentReply>>(data, exact);
    same_again::<CtlResponse<ComponentAuctionAck>>(data, exact);
    same_again::<CtlResponse<ProviderAuctionAck>>(data, exact);
    if let Some(inventory) = same_again::<HostInventory>(data, exact) {
        inventory.components.iter().for_each(|actor| drop(actor.state()));
        inventory.providers.iter().for_each(|provider| drop(provider.state()));
        inventory.links.iter().flatten().for_each(|link: &LinkStatus| drop(link.state()));
    }
}

/// Which event it is stands in it.
fn event_data(event: &Event) {
    fn data<T: EventData + PartialEq + Debug>(event: &Event) {
        let Some(data) = T::read(event) else { return };
        let event = Event { data: data.to_data().expect("what was JSON can be JSON"), ..event.clone() };
        let again = T::read(&event).expect("what is written reads");
        if !has_float(&event.data) {
            assert_eq!(again, data);
        }
    }
    data::<HostStarted>(event);
    data::<HostInventory>(event);
    data::<HostStopped>(event);
    data::<HostLost>(event);
    data::<HostBack>(event);
    data::<HostStateChanged>(event);
    data::<LabelsChanged>(event);
    data::<ComponentScaled>(event);
    data::<ComponentScaleFailed>(event);
    data::<ProviderStarted>(event);
    data::<ProviderStartFailed>(event);
    data::<ProviderStopped>(event);
    data::<Link>(event);
    data::<LinkdefSetFailed>(event);
    data::<LinkdefDeleted>(event);
    data::<ConfigSet>(event);
    data::<ConfigDeleted>(event);
    data::<FactOverridden>(event);
    data::<ControlAudit>(event);
    data::<ControlRefused>(event);
    data::<CallRefused>(event);
    data::<ActorStateChanged>(event);
    data::<ProviderStateChanged>(event);
    data::<LinkStateChanged>(event);
}

/// What was read is written as what reads the same.
fn same_again<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8], exact: bool) -> Option<T> {
    let read: T = serde_json::from_slice(data).ok()?;
    let written = serde_json::to_vec(&read).expect("what was JSON can be JSON");
    let again: T = serde_json::from_slice(&written).expect("what is written reads");
    if exact {
        assert_eq!(again, read);
    }
    Some(read)
}

fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_float),
        Value::Object(values) => values.values().any(has_float),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}
