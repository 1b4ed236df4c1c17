//! What a runtime is made with, and what an actor is started with.

use std::{num::NonZeroU32, time::Duration};

use lattice_code_cache::CodeCache;
use lattice_core::ActorId;

/// Bytes in a mebibyte.
const MIB: u64 = 1024 * 1024;

/// How the engine gets memory for guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PoolChoice {
    /// The largest pool that this machine has room for.
    #[default]
    Auto,
    /// Slots of the memory limit, with explicit bounds checks, also where larger ones would fit.
    Bounded,
    /// No pool: memory is mapped for each instance.
    OnDemand,
}

/// What a [`crate::Runtime`] is made with.
#[derive(Clone)]
pub struct RuntimeConfig {
    /// Serve components of WASI 0.3. Its implementation is experimental and gets no security fixes of its own.
    pub wasip3: bool,
    /// Linear memory that all guests together may hold, in bytes; `None` takes half of the machine's.
    pub host_memory_bytes: Option<u64>,
    /// The largest memory limit an actor may be started with, in bytes; small pools have slots of this size.
    pub memory_bytes_max: u64,
    /// How the engine gets memory for guests.
    pub pool: PoolChoice,
    /// How many instances the pool holds at most.
    pub slots: u32,
    /// Native stack of a guest, in bytes.
    pub stack_bytes: usize,
    /// Compiled code on disk; `None` compiles at every start.
    pub cache: Option<CodeCache>,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            wasip3: false,
            host_memory_bytes: None,
            memory_bytes_max: 256 * MIB,
            pool: PoolChoice::Auto,
            slots: 1_000,
            stack_bytes: 512 * 1024,
            cache: None,
        }
    }
}

/// What one invocation of an actor may use. Each has a default; zero is never "unlimited".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of one instance, in bytes. Beyond it `memory.grow` answers -1.
    pub memory_bytes: u64,
    /// Elements of one table.
    pub table_elements: usize,
    /// Core instances, and as many tables, that one component may consist of.
    pub instances: usize,
    /// Linear memories that one component may consist of.
    pub memories: usize,
    /// Host handles (streams, fields, buckets …) alive at once. Behind a handle the host may hold a body's buffers, so ten
    /// thousand of them are already a lot.
    pub handles: usize,
    /// Size of one set of HTTP header fields, in bytes, the host's own overhead included.
    pub header_bytes: usize,
    /// Header fields that one invocation makes in all, in bytes.
    pub headers_total_bytes: usize,
    /// Processor time, to 10 ms.
    pub cpu: Duration,
    /// Time from the start of the guest to the end of its response body.
    pub wall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 256 * MIB,
            table_elements: 20_000,
            instances: 200,
            memories: 16,
            handles: 10_000,
            header_bytes: 128 * 1024,
            headers_total_bytes: 32 * 1024 * 1024,
            cpu: Duration::from_secs(10),
            wall: Duration::from_secs(60),
        }
    }
}

/// What an actor is started with.
#[derive(Debug, Clone)]
pub struct ActorSpec {
    /// Its id.
    pub id: ActorId,
    /// How many invocations it serves at once.
    pub concurrency: NonZeroU32,
    /// How many more may wait; one beyond is refused as overloaded.
    pub queue: u32,
    /// What one invocation may use.
    pub limits: Limits,
    /// How many invocations an instance serves before it is dropped; 1 gives each a fresh one.
    pub reuse: NonZeroU32,
}

impl ActorSpec {
    /// The defaults: 100 at once, 1,000 waiting, fresh instances.
    #[must_use]
    pub fn new(id: ActorId) -> Self {
        Self {
            id,
            concurrency: NonZeroU32::MIN.saturating_add(99),
            queue: 1_000,
            limits: Limits::default(),
            reuse: NonZeroU32::MIN,
        }
    }
}
