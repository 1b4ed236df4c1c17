//! Whole-lattice scenarios. Each file is one story; `lattice_tests` sets the stage.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod attack;
mod bad_input;
mod between_actors;
mod broken_client;
mod cache;
mod call;
mod circles;
mod closed;
mod compose;
mod control;
mod counting;
mod echo;
mod far_links;
mod first_light;
mod group_callers;
mod hosts;
mod http_server;
mod images;
mod keys;
mod limits;
mod lost_bucket;
mod machines;
mod manifest;
mod overload;
mod own_nats;
mod own_processes;
mod process_secrets;
mod provider_processes;
mod refused_calls;
mod remote_http;
mod remote_providers;
mod replicas;
mod restart;
mod reuse;
mod sandbox;
mod secrets;
mod signed_commands;
mod states;
mod traces;
mod trust;
mod v1_hosts;
mod walk;
mod wash;
