//! SPIRE server: what its log, its interfaces and their recorded answers tell of entries, agents, keys and credentials.
//!
//! ```text
//! server.log ─▶ log::Follow ─┐ lines, joined              ┌─▶ registration, attestation, issuance,
//!                            ├─▶ outbox ─▶ records::draft ─┤   signing-key, revocation, federation, gap
//! socket, folder ─▶ api::Poll┘ what is new, what is gone  └─▶ quarantine
//! ```
//!
//! [`log`] reads lines and finds those that belong together, [`api`] compares what the server has with what it had, [`records`] makes drafts.
//! What both sides need of each other stands in [`known`]: an issuance names the entry that was found under its id and revision.
//!
//! Trust: whoever can write the log file, the folder or answers on the socket says what this server did. SPIRE signs none of it; the records
//! say so (`adapter-signed` of lines, `scraped` of what was polled). Nothing they say leads out of the configured trust domain.
//!
//! In scope: values of bytes, and the two feeds. Out of scope: following a file (`tail`), signing and sending, tokens and private keys: neither
//! stands in what is read here, and a token never in what is written.

mod adapter;
pub mod api;
mod check;
mod ends;
pub mod event;
mod feeds;
mod fields;
pub mod known;
pub mod log;
pub mod records;
mod settings;
#[cfg(test)]
mod tests;
mod wrong;

/// How records name this source.
pub const SYSTEM: &str = "spire-server";

/// The kinds of its records.
pub const KINDS: [&str; 6] = ["registration", "attestation", "issuance", "signing-key", "revocation", "federation"];

pub use adapter::Server;
pub use feeds::feeds;
pub use settings::{Polled, RawSpire, Settings, SettingsError};
pub use wrong::Wrong;
