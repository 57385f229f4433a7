//! Envoy: its JSON access log, line by line, becomes `effect` records.
//!
//! ```text
//! access log ─▶ feed (tail) ─▶ outbox: held until a decision of its request fits, or none can come any more ─▶ effect
//!                                     ▲
//! OPA's uploads ─▶ outbox: x-request-id → decisions, and what each was asked for; who was heard, and when
//! ```
//!
//! [`table`] is what an operator says, [`mod@line`] reads a line, [`outcome`] judges it, [`mod@effect`] makes the record, [`feed`] follows the file.
//! In between, `held` knows which lines wait in the outbox, `settle` says how long, `fit` which decision is a line's own, `occurrence` how often the same line came before.
//!
//! Trust: whoever can write the log says what was done. A request's path, its id where Envoy keeps the caller's, and its trace are the
//! caller's to choose: none of them keeps an effect from being recorded, and a query never stands in clear. A decision that says otherwise than
//! the line is never linked. An effect whose decision is not known says so by having none; that two decisions fit one request is said, and not which
//! of them is meant.

mod adapter;
mod counts;
pub mod effect;
pub mod feed;
mod fit;
mod held;
pub mod line;
mod occurrence;
pub mod outcome;
mod settle;
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
