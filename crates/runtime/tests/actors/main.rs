//! The runtime with the example actors in it.

mod serve;
mod support;
