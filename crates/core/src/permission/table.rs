//! The table itself.

use super::Role;

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// A subject that may be published to.
    Publish,
    /// A subject that may be subscribed to.
    Subscribe,
}

/// One thing that a role may do. In the subject, `{lattice}` stands for the lattice and `{me}` for the principal; after a blank
/// stands the queue group without which a subscription is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Who may.
    pub role: Role,
    /// Publish or subscribe.
    pub lane: Lane,
    /// Where.
    pub subject: &'static str,
    /// What for.
    pub why: &'static str,
}

impl Row {
    /// True for a row about JetStream and its buckets.
    #[must_use]
    pub fn is_jetstream(&self) -> bool {
        self.subject.starts_with('$')
    }

    /// True for a row with the principal in its subject.
    pub(super) fn names_itself(&self) -> bool {
        self.subject.contains("{me}")
    }

    pub(super) fn filled(&self, lattice: &str, me: &str) -> String {
        self.subject.replace("{lattice}", lattice).replace("{me}", me)
    }
}

const fn publish(role: Role, subject: &'static str, why: &'static str) -> Row {
    Row { role, lane: Lane::Publish, subject, why }
}

const fn subscribe(role: Role, subject: &'static str, why: &'static str) -> Row {
    Row { role, lane: Lane::Subscribe, subject, why }
}

use Role::{Host, Operator, Provider, Site, Tool, Viewer};

/// Who may do what. What has no row is refused.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    publish(Host, "wasmbus.call.{lattice}.>", "calls, as any actor that it runs"),
    publish(Host, "wasmbus.host.{lattice}.>", "calls to one host, as any actor that it runs"),
    publish(Host, "wasmbus.back.{lattice}.>", "answers, as any actor or provider that it runs"),
    publish(Host, "wasmbus.rpc.{lattice}.>", "health, links and the end of its provider processes"),
    publish(Host, "wasmbus.beat.{lattice}.{me}", "its own beats"),
    publish(Host, "wasmbus.beat.{lattice}.{me}.all", "its own full beats"),
    publish(Host, "wasmbus.beat.{lattice}.*.ask", "asks a silent host whether it lives"),
    publish(Host, "wasmbus.evt.{lattice}.>", "events"),
    publish(Host, "wasmbus.ctl.v1.{lattice}.host.ping", "looks who is there, before it joins"),
    publish(Host, "wasmbus.ctl.v1.{lattice}.host.get.*", "asks a host that joined whether it is one of wasmCloud 1.x"),
    publish(Host, "wasmbus.inbox.{lattice}.>", "answers to whoever asks"),
    publish(Host, "_INBOX.>", "answers to tools that have no inbox of ours"),
    publish(Host, "$JS.API.INFO", "whether there is JetStream"),
    publish(Host, "$JS.API.STREAM.INFO.*", "state of a bucket"),
    publish(Host, "$JS.API.STREAM.CREATE.*", "makes the lattice's bucket, and those of its key-value links"),
    publish(Host, "$JS.API.STREAM.MSG.GET.*", "reads a value"),
    publish(Host, "$JS.API.DIRECT.GET.>", "reads a value"),
    publish(Host, "$JS.API.CONSUMER.CREATE.>", "watches a bucket"),
    publish(Host, "$JS.API.CONSUMER.INFO.*.*", "watches a bucket"),
    publish(Host, "$JS.API.CONSUMER.DELETE.*.*", "ends a watch"),
    publish(Host, "$KV.>", "writes values"),
    publish(Host, "$JS.FC.>", "says how far it has read"),
    publish(Host, "$JS.*.API.INFO", "the same in a JetStream domain"),
    publish(Host, "$JS.*.API.STREAM.INFO.*", "the same in a JetStream domain"),
    publish(Host, "$JS.*.API.STREAM.CREATE.*", "the same in a JetStream domain"),
    publish(Host, "$JS.*.API.STREAM.MSG.GET.*", "the same in a JetStream domain"),
    publish(Host, "$JS.*.API.DIRECT.GET.>", "the same in a JetStream domain"),
    publish(Host, "$JS.*.API.CONSUMER.CREATE.>", "the same in a JetStream domain"),
    publish(Host, "$JS.*.API.CONSUMER.INFO.*.*", "the same in a JetStream domain"),
    publish(Host, "$JS.*.API.CONSUMER.DELETE.*.*", "the same in a JetStream domain"),
    publish(Host, "$JS.*.API.$KV.>", "the same in a JetStream domain"),
    subscribe(Host, "wasmbus.call.{lattice}.>", "calls of what it runs"),
    subscribe(Host, "wasmbus.host.{lattice}.*.{me}.>", "calls that name it"),
    subscribe(Host, "wasmbus.back.{lattice}.*.{me}.>", "what comes back to it"),
    subscribe(Host, "wasmbus.beat.{lattice}.*", "beats of its neighbours"),
    subscribe(Host, "wasmbus.beat.{lattice}.*.all", "full beats of everybody"),
    subscribe(Host, "wasmbus.beat.{lattice}.{me}.ask", "questions whether it lives"),
    subscribe(Host, "wasmbus.evt.{lattice}.*", "events of other hosts: who came, who is lost, who is of wasmCloud 1.x"),
    subscribe(Host, "wasmbus.ctl.v1.{lattice}.host.ping", "control requests to all hosts"),
    subscribe(Host, "wasmbus.ctl.v1.{lattice}.registry.put", "control requests to all hosts"),
    subscribe(Host, "wasmbus.ctl.v1.{lattice}.component.auction", "control requests to all hosts"),
    subscribe(Host, "wasmbus.ctl.v1.{lattice}.provider.auction", "control requests to all hosts"),
    subscribe(Host, "wasmbus.ctl.v1.{lattice}.*.*.{me}", "control requests that name it"),
    subscribe(Host, "wasmbus.ctl.v1.{lattice}.*.* wasmbus.ctl.v1.{lattice}.*", "control requests that one host takes"),
    subscribe(Host, "wasmbus.ctl.v1.{lattice}.config.> wasmbus.ctl.v1.{lattice}.config", "control requests that one host takes"),
    subscribe(Host, "wasmbus.inbox.{lattice}.{me}.>", "answers to it"),
    publish(Host, "wasmbus.inbox.{lattice}.{me}.>", "messages to itself, to know that a subscription is in force"),

    publish(Operator, "wasmbus.ctl.v1.{lattice}.>", "every control request"),
    publish(Operator, "wasmbus.inbox.{lattice}.=user.{me}.>", "messages to itself, to know that a subscription is in force"),
    subscribe(Operator, "wasmbus.evt.{lattice}.>", "events"),
    subscribe(Operator, "wasmbus.inbox.{lattice}.=user.{me}.>", "answers to it"),

    publish(Viewer, "wasmbus.ctl.v1.{lattice}.host.ping", "which hosts there are"),
    publish(Viewer, "wasmbus.ctl.v1.{lattice}.host.get.*", "what runs on a host"),
    publish(Viewer, "wasmbus.ctl.v1.{lattice}.link.get", "links"),
    publish(Viewer, "wasmbus.ctl.v1.{lattice}.claims.get", "claims"),
    publish(Viewer, "wasmbus.ctl.v1.{lattice}.config.get.>", "configurations"),
    publish(Viewer, "wasmbus.ctl.v1.{lattice}.trust.get", "whose signatures count"),
    publish(Viewer, "wasmbus.ctl.v1.{lattice}.role.get", "who may command what"),
    publish(Viewer, "wasmbus.ctl.v1.{lattice}.secret.list", "which secrets there are, never what they hold"),
    publish(Viewer, "wasmbus.inbox.{lattice}.=user.{me}.>", "messages to itself, to know that a subscription is in force"),
    subscribe(Viewer, "wasmbus.evt.{lattice}.>", "events"),
    subscribe(Viewer, "wasmbus.inbox.{lattice}.=user.{me}.>", "answers to it"),

    publish(Provider, "wasmbus.call.{lattice}.{me}.>", "calls, as itself"),
    publish(Provider, "wasmbus.host.{lattice}.{me}.>", "calls to one host, as itself"),
    publish(Provider, "wasmbus.back.{lattice}.{me}.>", "answers, as itself"),
    publish(Provider, "wasmbus.inbox.{lattice}.{me}.>", "messages to itself, to know that a subscription is in force"),
    subscribe(Provider, "wasmbus.call.{lattice}.*.{me}.>", "calls of itself"),
    subscribe(Provider, "wasmbus.back.{lattice}.*.{me}.>", "what comes back to it"),
    subscribe(Provider, "wasmbus.rpc.{lattice}.{me}.>", "health, links and its end, from its host"),
    subscribe(Provider, "wasmbus.inbox.{lattice}.{me}.>", "answers to it"),

    publish(Tool, "wasmbus.call.{lattice}.{me}.>", "calls, as itself"),
    publish(Tool, "wasmbus.host.{lattice}.{me}.>", "calls to one host, as itself"),
    publish(Tool, "wasmbus.back.{lattice}.{me}.>", "further parts of its calls"),
    publish(Tool, "wasmbus.inbox.{lattice}.{me}.>", "messages to itself, to know that a subscription is in force"),
    subscribe(Tool, "wasmbus.back.{lattice}.*.{me}.>", "what comes back to it"),
    subscribe(Tool, "wasmbus.inbox.{lattice}.{me}.>", "answers to it"),

    publish(Site, "wasmbus.call.{lattice}.>", "calls"),
    publish(Site, "wasmbus.host.{lattice}.>", "calls to one host"),
    publish(Site, "wasmbus.back.{lattice}.>", "answers"),
    publish(Site, "wasmbus.beat.{lattice}.>", "beats"),
    publish(Site, "wasmbus.evt.{lattice}.>", "events"),
    publish(Site, "wasmbus.ctl.v1.{lattice}.>", "control requests"),
    publish(Site, "wasmbus.inbox.{lattice}.>", "answers to whoever asks"),
    subscribe(Site, "wasmbus.call.{lattice}.>", "calls"),
    subscribe(Site, "wasmbus.host.{lattice}.>", "calls to one host"),
    subscribe(Site, "wasmbus.back.{lattice}.>", "answers"),
    subscribe(Site, "wasmbus.beat.{lattice}.>", "beats"),
    subscribe(Site, "wasmbus.evt.{lattice}.>", "events"),
    subscribe(Site, "wasmbus.ctl.v1.{lattice}.>", "control requests"),
    subscribe(Site, "wasmbus.inbox.{lattice}.>", "answers to whoever asks"),
];
