//! The party that observes and submits: takes what an enforcement point already emits and makes provable entries of it.
//!
//! ```text
//! upload ─▶ http ─┐
//!                 ├─▶ outbox ─▶ Draft ─▶ statement ─▶ log ─▶ proof ─▶ gone
//! file, API ─▶ feed ┘  │    adapter    sign        pump         │
//!                      └── durable before the source hears 200, or is read on   └── published, verified, openings stored
//! ```
//!
//! **In scope**: adapters ([`adapter`], [`opa`], [`envoy`], [`credentials`], [`spire`]), reading what is not uploaded ([`feed`]), handing on what is ([`forward`]), the durable [`outbox`], signing ([`mod@sign`]) alone or in batches ([`capture`]) with a key or an X.509-SVID ([`keys`]), sending until there is a proof ([`pump`]), sealing values that stay out of the log
//! ([`seal`]). **Out of scope**: what the bytes mean (`govlog-formats`), judging a log and keeping openings (`govlog-client`, whose submitting,
//! trust and opening store this uses), deciding anything at an enforcement point.
//!
//! An adapter is one module with one shape: bytes in, events, records; it knows no clock, file or socket.

pub mod adapter;
pub mod capture;
pub mod check;
pub mod cli;
pub mod config;
pub mod credentials;
pub mod doctor;
pub mod envoy;
pub mod failpoints;
pub mod feed;
pub mod forward;
#[cfg(any(test, feature = "spiffe"))]
mod grpc;
mod hex;
pub mod http;
pub mod json;
pub mod keys;
pub mod lost;
pub mod names;
pub mod opa;
pub mod outbox;
pub mod pump;
pub mod rfc3339;
mod run;
pub mod seal;
pub mod sign;
pub mod sources;
pub mod spire;
mod stamp;
pub mod tail;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod trusted;
pub mod world;

pub use run::{Agent, EXIT_POISONED, Listeners, RunError};
