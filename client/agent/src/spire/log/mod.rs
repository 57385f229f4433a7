//! The server's log: lines that tell of something, and which of them belong together.
//!
//! SPIRE writes one JSON object a line. With `audit_log_enabled` there is a line "API accessed" for each call, or for each item of a call; at
//! `log_level = "DEBUG"` another that says what was signed, before or behind it. The first has no serial number, the second no digest of the
//! request; `request_id` is in both.

mod line;
mod reading;

pub(super) use line::what;
pub use line::{Call, Credential, Seen, Step, What, look};
pub use reading::{Counters, Reading};
