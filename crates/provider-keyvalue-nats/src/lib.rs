//! provider-keyvalue-nats
