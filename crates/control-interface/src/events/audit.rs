//! Who commanded what, and what was refused because of who commanded or called.

use lattice_core::{HostId, UserKey};
use serde::{Deserialize, Serialize};

/// Data of our `control_audit`: a control request that changes something was carried out, or tried. What takes time was taken
/// on; its outcome is another event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlAudit {
    /// The host that took the command.
    pub host_id: HostId,
    /// Who signed it; none where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<UserKey>,
    /// The role of that key there; none where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Noun and verb of the subject, as `component.scale`.
    #[serde(default)]
    pub command: String,
    /// The names of what it was about, the most important first: an actor, the ends of a link, a configuration, a key.
    #[serde(default)]
    pub target: Vec<String>,
    /// Whether it was carried out, or at least taken on.
    #[serde(default)]
    pub success: bool,
    /// What the host answered; may be empty.
    #[serde(default)]
    pub message: String,
    /// What the signer used once: tells this command from every other one of that key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// Data of our `control_refused`: requests of one source that were refused because of who sent them, since the last such event.
/// There is at most one a second for each source; what is told of beside the count is the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRefused {
    /// The host that refused.
    pub host_id: HostId,
    /// Who: a key that has a role, `unknown-key` for keys that have none, `forged` where the signature does not hold, `unsigned`,
    /// the host as which an order that was over (`order-over`) was written into the bucket, or `others` where there are too many.
    #[serde(default)]
    pub source: String,
    /// How many.
    #[serde(default)]
    pub count: u64,
    /// How many there were of all sources since the host was started.
    #[serde(default)]
    pub total: u64,
    /// Which kind of refusal it was, as `signature-required`.
    #[serde(default)]
    pub code: String,
    /// Noun and verb of the subject, as `component.scale`.
    #[serde(default)]
    pub command: String,
    /// The key that signed, or that the token names; none where there is no token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<UserKey>,
    /// Where the answer went: NATS knows by it whose connection that is (`nats server report connections`, `/connz?subs=1`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// What was answered.
    #[serde(default)]
    pub message: String,
}

/// Data of our `call_refused`: calls of one source that were refused for want of a right, since the last such event. There is at most
/// one a second for each source; what is told of beside the count is the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRefused {
    /// The host that refused.
    pub host_id: HostId,
    /// Who called: the id of an actor, a provider or a tool, which a broker with permissions lets nobody else use; or `others`
    /// where there are too many.
    #[serde(default)]
    pub source: String,
    /// How many.
    #[serde(default)]
    pub count: u64,
    /// How many there were of all sources since the host was started.
    #[serde(default)]
    pub total: u64,
    /// Which kind of refusal it was: `no-link` or `denied`.
    #[serde(default)]
    pub code: String,
    /// Who was called.
    #[serde(default)]
    pub target: String,
    /// The interface, as it was called.
    #[serde(default)]
    pub interface: String,
    /// Why, with what would mend it.
    #[serde(default)]
    pub message: String,
}
