//! Why there is no runtime, why bytes are no actor, and why an actor does not start.

use lattice_core::ActorId;

use crate::Interface;

/// Why there is no runtime.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// Not even an engine without a pool could be made.
    #[error("the WebAssembly engine cannot be made: {reason}")]
    Engine {
        /// The engine's words.
        reason: String,
    },
    /// The thread that counts time cannot be started.
    #[error("the thread that counts processor time cannot be started")]
    Ticker(#[source] std::io::Error),
}

/// Why bytes cannot become an actor.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// They are no WebAssembly.
    #[error(
        "this is not WebAssembly: it starts with {start}; an actor is a component, built for wasm32-wasip2"
    )]
    NotWasm {
        /// Its first bytes, in hex.
        start: String,
    },
    /// A core module, which this version runs none of.
    #[error(
        "this is a core WebAssembly module, not a component; actors of 2021 (waPC) and WASI preview 1 programs are not \
         served yet: build for wasm32-wasip2, or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    /// Not well-formed, truncated, or using what the engine does not allow.
    #[error("the component is not valid: {reason}")]
    Invalid {
        /// What is wrong, and where.
        reason: String,
    },
    /// It needs WASI 0.3, which is off.
    #[error(
        "the component uses WASI 0.3 ({interface}), which is experimental and off; start the host with --wasip3 to \
         serve it, or build for wasm32-wasip2"
    )]
    Wasip3Off {
        /// The first such interface.
        interface: String,
    },
    /// The second engine could not be made.
    #[error("the engine for WASI 0.3 cannot be made: {reason}")]
    Engine {
        /// The engine's words.
        reason: String,
    },
    /// The compiler failed.
    #[error("the component cannot be compiled: {reason}")]
    Compile {
        /// The compiler's words.
        reason: String,
    },
}

/// Why an actor does not start.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It imports what nobody serves.
    #[error(
        "actor {actor} imports what no host serves: {}; imports are standard WASI 0.2, wasi:http, wasi:keyvalue, \
         wasi:config, wasi:logging and wasmcloud:secrets in the versions that `docs/contracts.md` lists, and interfaces of plain values \
         that another actor exports", names.join(", ")
    )]
    UnknownImport {
        /// The actor.
        actor: ActorId,
        /// The imports, as `namespace:package/interface@version`.
        names: Vec<String>,
    },
    /// It imports interfaces that only a link can give, and there is none. With the link it starts.
    #[error("{}", not_linked(actor, imports))]
    NotLinked {
        /// The actor.
        actor: ActorId,
        /// The interfaces.
        imports: Vec<Interface>,
    },
    /// An import has the right name and another shape.
    #[error("actor {actor} cannot be linked: {reason}")]
    Link {
        /// The actor.
        actor: ActorId,
        /// The engine's words.
        reason: String,
    },
    /// Instances of WASI 0.3 are not reused.
    #[error("actor {actor} uses WASI 0.3, whose instances serve one call each; start it with reuse 1")]
    Reuse {
        /// The actor.
        actor: ActorId,
    },
    /// A limit is more than the runtime has room for.
    #[error("actor {actor} cannot have a {what} of {asked}: this host allows at most {max}")]
    Limit {
        /// The actor.
        actor: ActorId,
        /// Which limit.
        what: &'static str,
        /// What was asked for.
        asked: u64,
        /// What is allowed.
        max: u64,
    },
}

fn not_linked(actor: &ActorId, imports: &[Interface]) -> String {
    let names: Vec<String> = imports.iter().map(ToString::to_string).collect();
    let mut contracts: Vec<String> =
        imports.iter().map(|import| format!("{}:{}", import.namespace, import.package)).collect();
    contracts.dedup();
    let lines: Vec<String> =
        contracts.iter().map(|contract| format!("wash link put {actor} ACTOR {contract}")).collect();
    format!(
        "actor {actor} imports what only another actor can serve, and has no link for it: {}; make one: {}",
        names.join(", "),
        lines.join("; ")
    )
}
