//! The vocabulary of the lattice: ids, subjects, links, contracts, labels, image references, calls, states, events.
//!
//! No I/O, no async, no clock: every other crate builds on these types, and they build on nothing. Each type that
//! crosses a wire says here how it is written and how unknown or missing fields read.

mod causes;
mod contract;
mod distance;
pub mod encoding;
mod escape;
mod event;
mod every;
mod fact;
mod host_fact;
mod ids;
mod image_ref;
mod invocation;
mod labels;
mod link;
pub mod permission;
mod placement;
mod printable;
mod role;
mod secret;
mod secret_fact;
mod state;
mod subject;
mod trace;
mod trust_fact;

pub use causes::{causes, innermost_cause, with_causes};
pub use contract::{
    Alias2021, ConfigKey, Contract, ContractError, Direction, KNOWN, Known, alias_2021, known,
};
pub use distance::{Distance, DistanceError};
pub use escape::{escape_key, escape_token, unescape, unescape_marked};
pub use event::{Event, EventName, ParseEventNameError};
pub use fact::{FactKey, FactKeyError, FactKind};
pub use host_fact::{HostFact, HostedActor, HostedLink, HostedProvider, HostedState};
pub use ids::{
    AccountKey, ActorId, ConfigName, CurveKey, EntityId, HostId, IdError, IdKind, LatticeName, LinkName,
    ProviderId, RESERVED_IDS, SecretName, UserKey,
};
pub use image_ref::{Builtin, ImageRef, ImageRefError, OciRef};
pub use invocation::{CallError, ErrorCode, Hop, InvocationId, MAX_DEPTH, Operation, QUEUE_MAX};
pub use labels::{LabelError, Labels};
pub use link::{Link, LinkKey, LinkRejection};
pub use placement::{Offer, Placement, place};
pub use printable::{one_line, printable, printable_but, shortened};
pub use role::{Denied, Grant, Order, ParseRoleError, Role, RoleFact, Target};
pub use secret::{
    ContentsError, ParseSecretKindError, SECRET_BYTES_MAX, Secret, SecretContents, SecretKind, SecretTooLong,
};
pub use secret_fact::{SECRET_READERS_MAX, SealedError, SealedFor, SealedSecret, SecretFact};
pub use state::{Reason, State};
pub use subject::{
    BackSubject, Beat, BeatAnswer, BeatKind, BeatSubject, CallSubject, CallTo, CtlSubject, CtlVerb, Effect,
    ProviderSubject, ProviderVerb, SubjectError, back_subscription, beat_all_subscription, call_subject,
    calls_of_host, calls_of_target, ctl_all_subscriptions, ctl_own_subscriptions, ctl_prefix, event_subject,
    is_inbox, may_provider_answer, provider_answer, provider_subscription,
};
pub use trace::{TRACEPARENT, TraceParent};
pub use trust_fact::{Standing, TrustFact};
