//! Envoy: its JSON access log, line by line, becomes `effect` records.
//!
//! ```text
//! access log ─▶ feed (tail) ─▶ held until its decision is known, or for settle_s ─▶ outbox ─▶ effect
//!                                        ▲
//! OPA's uploads ─▶ outbox: x-request-id → decision_id
//! ```
//!
//! [`table`] is what an operator says, [`mod@line`] reads a line, [`outcome`] judges it, [`mod@effect`] makes the record, [`feed`] follows the file.
//!
//! Trust: whoever can write the log says what was done. A request's path, its id where Envoy keeps the caller's, and its trace are the
//! caller's to choose: none of them keeps an effect from being recorded, and a query never stands in clear. An effect whose decision is not
//! known says so by having none; that two decisions were made for one request id is said, and not which of them is meant.

mod adapter;
pub mod effect;
pub mod feed;
pub mod line;
pub mod outcome;
pub mod table;
#[cfg(test)]
mod tests;

/// How records name this source.
pub const SYSTEM: &str = "envoy";

pub use adapter::Effects;
pub use effect::effect;
pub use feed::AccessLog;
pub use line::Line;
pub use table::{Envoy, EnvoyError, RawEnvoy};
