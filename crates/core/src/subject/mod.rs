//! Subjects: the one place that builds and parses them, a file for each family.
//!
//! Control and events stand as wasmCloud 1.x writes them; calls, what comes back of them, and beats are ours.

mod beat;
mod call;
mod ctl;
mod inbox;
mod rpc;
mod verb;

pub use beat::{Beat, BeatAnswer, BeatKind, BeatSubject, beat_all_subscription};
pub use call::{
    BackSubject, CallSubject, CallTo, back_subscription, call_subject, calls_of_host, calls_of_target,
};
pub use ctl::{
    CtlSubject, SubjectError, ctl_all_subscriptions, ctl_own_subscriptions, ctl_prefix, event_subject,
};
pub use inbox::is_inbox;
pub use rpc::{ProviderSubject, ProviderVerb, may_provider_answer, provider_answer, provider_subscription};
pub use verb::{CtlVerb, Effect};
