//! What happens in one run: sizes, what becomes of each message, who stalls, dies or leaves, and what clocks show.

use proptest::prelude::*;

/// What becomes of a message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    Arrives,
    Lost,
    Twice,
    Late(u32),
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        12 => Just(Fate::Arrives),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Twice),
        1 => (1u32..40).prop_map(Fate::Late),
    ];
    proptest::collection::vec(fate, 0..60)
}

/// One run.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) request: usize,
    pub(super) reply: usize,
    /// Fates of the messages in the order in which they are sent; all further ones arrive.
    pub(super) fates: Vec<Fate>,
    /// The callee answers only in that step after the call.
    pub(super) works: u32,
    /// Every reader reads only in each n-th step.
    pub(super) pace: u32,
    pub(super) callee_dies: Option<u32>,
    pub(super) caller_leaves: Option<u32>,
    pub(super) clocks: Clocks,
}

/// The callee's clock, beside the caller's.
#[derive(Debug, Clone, Copy)]
pub(super) enum Clocks {
    Equal,
    HourAhead,
    HourBehind,
}

pub(super) fn plans() -> impl Strategy<Value = Plan> {
    let size = || prop_oneof![Just(0usize), 1usize..1000, 1000usize..600_000];
    let when = || proptest::option::weighted(0.2, 0u32..60);
    let clocks = prop_oneof![Just(Clocks::Equal), Just(Clocks::HourAhead), Just(Clocks::HourBehind)];
    (size(), size(), fates(), 0u32..50, 1u32..40, when(), when(), clocks).prop_map(
        |(request, reply, fates, works, pace, callee_dies, caller_leaves, clocks)| Plan {
            request,
            reply,
            fates,
            works,
            pace,
            callee_dies,
            caller_leaves,
            clocks,
        },
    )
}
