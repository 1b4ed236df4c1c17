//! Who may command: every request that changes something passes here before anything is done, and is told of after.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use lattice_claims::{COMMAND_HEADER, CommandError, CommandRequest, SignedCommand, verify_command};
use lattice_control_interface::{
    CtlResponse, STALE,
    events::{ControlAudit, ControlRefused},
};
use lattice_core::{CtlVerb, Effect, Order, Role, Target, UserKey};
use lattice_nats::ControlRequest;
use serde::de::IgnoredAny;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{
    accepted::Accepted,
    rule::{Policy, judge},
    source::{Sample, Source},
    target,
};
use crate::{
    about::About,
    events::Events,
    lattice::Lattice,
    refusals::{Refusals, Tells, Told},
    roles::{PutBack, Roles},
};

/// How much of an answer is told; the whole of it went to whoever asked.
const MESSAGE_CHARS: usize = 512;
/// How many names are told; a configuration may be that of many links.
const NAMES_TOLD: usize = 64;

/// Judges and tells; one of it on a host.
pub(crate) struct Guard {
    about: Arc<About>,
    lattice: Lattice,
    roles: Roles,
    events: Events,
    /// Whether what is not signed is refused.
    pub(crate) requires_signature: bool,
    accepted: Mutex<Accepted>,
    refusals: Mutex<Refusals<Source, Sample>>,
}

/// Who asked for a change, as far as it is known, and about what.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    /// Who signed.
    pub(crate) key: Option<UserKey>,
    /// The command as evidence, where it was signed.
    pub(crate) order: Option<Order>,
    role: Option<Role>,
    nonce: Option<String>,
    names: Vec<String>,
}

/// Why a request is not carried out.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: &'static str,
    why: String,
}

impl Refusal {
    /// The answer.
    pub(crate) fn answer(&self) -> Bytes {
        let response = CtlResponse::<()>::denied(self.code, self.why.as_str());
        Bytes::from(serde_json::to_vec(&response).unwrap_or_default())
    }
}

/// Of what nobody knows how old it is: whoever asked has given up, and the lattice may have been told otherwise since. No refusal
/// that says anything of who asks, so none that is counted; that the host was frozen is in its log.
fn stale(verb: &CtlVerb) -> Refusal {
    let why =
        format!("{} waited while this host was frozen, and was not carried out; ask again", verb.name());
    debug!(command = verb.name(), "a command that waited while this host was frozen is not carried out");
    Refusal { code: STALE, why }
}

impl Guard {
    /// `folder` is where the host keeps what it remembers, if it does.
    pub(crate) fn new(
        about: Arc<About>,
        lattice: Lattice,
        roles: Roles,
        events: Events,
        requires_signature: bool,
        folder: Option<&Path>,
    ) -> Self {
        let path = folder.map(|folder| folder.join("latest-command"));
        let accepted = Mutex::new(Accepted::open(path.as_deref(), now_ms()));
        let refusals = Mutex::new(Refusals::new(Source::Others));
        Self { about, lattice, roles, events, requires_signature, accepted, refusals }
    }

    /// Whether a request may be carried out. A signed one may be for once.
    pub(crate) fn admit(&self, request: &ControlRequest) -> Result<Admitted, Refusal> {
        let verb = &request.subject.verb;
        if verb.effect() == Effect::Reads {
            return Ok(Admitted::default());
        }
        if request.stale {
            return Err(stale(verb));
        }
        let signed = match request.header(COMMAND_HEADER) {
            None => None,
            Some(token) => match self.verify(token, request) {
                Ok(signed) => Some(signed),
                Err(error) => return Err(self.refuse(request, Source::Forged, None, &error)),
            },
        };
        let key = signed.as_ref().and_then(|signed| UserKey::new(signed.key.as_str()).ok());
        let grants = self.roles.now();
        let grant = key.as_ref().and_then(|key| grants.get(key));
        let source = || match (&key, grant) {
            (Some(key), Some(_)) => Source::Key(key.clone()),
            (Some(_), None) => Source::UnknownKey,
            (None, _) => Source::Unsigned,
        };
        let policy =
            Policy { requires_signature: self.requires_signature, knows_admins: self.roles.knows_admins() };
        let names = target::names(verb, &request.payload, self.lattice.view().links.values());
        let labels = self.about.labels();
        let wanted = Target { verb, labels: &labels, names: names.as_deref() };
        if let Err((code, why)) = judge(policy, key.as_ref(), grant, &wanted) {
            return Err(self.refused(request, source(), key.clone(), code, why));
        }
        if let Some(signed) = &signed
            && let Err(error) = self.lock_accepted().accept(signed, now_ms())
        {
            return Err(self.refuse(request, source(), key.clone(), &error));
        }
        let order = request.header(COMMAND_HEADER).map(|token| Order {
            token: token.to_owned(),
            body: String::from_utf8_lossy(&request.payload).into_owned(),
        });
        let (role, nonce) = (grant.map(lattice_core::Grant::role), signed.map(|signed| signed.nonce));
        Ok(Admitted { order, role, nonce, names: names.unwrap_or_default(), key })
    }

    fn verify(&self, token: &str, request: &ControlRequest) -> Result<SignedCommand, CommandError> {
        let lattice = self.about.lattice.as_str();
        let request = CommandRequest { lattice, subject: &request.written, body: &request.payload };
        verify_command(token, &request, now_ms())
    }

    fn refuse(
        &self,
        request: &ControlRequest,
        source: Source,
        key: Option<UserKey>,
        error: &CommandError,
    ) -> Refusal {
        self.refused(request, source, key, error.code(), format!("{error}; {}", error.remedy()))
    }

    fn refused(
        &self,
        request: &ControlRequest,
        source: Source,
        key: Option<UserKey>,
        code: &'static str,
        why: String,
    ) -> Refusal {
        let reply_to = request.reply_to().map(|inbox| inbox.chars().take(128).collect());
        let command = request.subject.verb.name();
        let sample = Sample { code, command, key, reply_to, message: why.clone() };
        let told = self.lock_refusals().note(source, sample, Instant::now());
        self.tell(told);
        Refusal { code, why }
    }

    /// Counts a fact that brings back an order of an admin which is over.
    pub(crate) fn put_back(&self, back: PutBack) {
        let PutBack { about, writer } = back;
        let message = format!(
            "an order of an admin about {about}, which was replaced or taken back, stands in the lattice's bucket again, and does not \
             count; whoever wrote it has a host's credentials: see `wash role list` and `wash trust list`, and give the order anew"
        );
        let command =
            if about.starts_with("role.") { CtlVerb::RolePut.name() } else { CtlVerb::TrustPut.name() };
        let sample = Sample { code: "order-over", command, key: None, reply_to: None, message };
        let told = self.lock_refusals().note(Source::Writer(writer), sample, Instant::now());
        self.tell(told);
    }

    /// How many requests were refused here, since the host was started.
    pub(crate) fn refused_total(&self) -> u64 {
        self.lock_refusals().total()
    }

    /// What an operator should know at every look.
    pub(crate) fn notice(&self) -> Option<String> {
        let total = self.refused_total();
        let requests = if total == 1 { "request was" } else { "requests were" };
        (total > 0).then(|| {
            format!(
                "{total} control {requests} refused because of who sent them, since this host was started; its log and the \
                 events control_refused say more"
            )
        })
    }

    /// The admins that this host's flags name.
    pub(crate) fn admins(&self) -> Vec<UserKey> {
        self.roles.admins().iter().cloned().collect()
    }

    /// Tells who did what, and how it ended.
    pub(crate) fn audit(&self, admitted: Admitted, verb: &CtlVerb, answer: Option<&Bytes>) {
        if verb.effect() == Effect::Reads {
            return;
        }
        let answer = answer.and_then(|bytes| serde_json::from_slice::<CtlResponse<IgnoredAny>>(bytes).ok());
        let (success, message) = answer.map_or((false, String::new()), |it| (it.success, it.message));
        let Admitted { key, role, nonce, mut names, .. } = admitted;
        let over = names.len().saturating_sub(NAMES_TOLD);
        names.truncate(NAMES_TOLD);
        if over > 0 {
            names.push(format!("and {over} more"));
        }
        let (command, target) = (verb.name(), names.join(" "));
        let by = key.as_ref().map_or("nobody who signed", UserKey::as_str);
        info!(command, target, by, role = role.map(Role::word), success, "commanded");
        self.events.publish(&ControlAudit {
            host_id: self.about.id.clone(),
            key,
            role: role.map(|role| role.word().to_owned()),
            command: command.to_owned(),
            target: names,
            success,
            message: message.chars().take(MESSAGE_CHARS).collect(),
            nonce,
        });
    }

    fn tell(&self, told: impl IntoIterator<Item = Told<Source, Sample>>) {
        for Told { source, count, total, sample } in told {
            let Sample { code, command, key, reply_to, message } = sample;
            warn!(source = source.name(), count, total, code, command, message, "control requests refused");
            self.events.publish(&ControlRefused {
                host_id: self.about.id.clone(),
                source: source.name().to_owned(),
                count,
                total,
                code: code.to_owned(),
                command: command.to_owned(),
                key,
                reply_to,
                message: message.chars().take(MESSAGE_CHARS).collect(),
            });
        }
    }

    fn lock_accepted(&self) -> std::sync::MutexGuard<'_, Accepted> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_refusals(&self) -> std::sync::MutexGuard<'_, Refusals<Source, Sample>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tells for Guard {
    fn tell_due(&self, now: Instant) {
        let due = self.lock_refusals().due(now);
        self.tell(due);
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
