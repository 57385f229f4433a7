//! The party that checks: what a relying party, an auditor or a submitter runs, and nobody else has to be trusted for.
//!
//! ```text
//! source ─▶ (bytes) ─▶ verify ─▶ VerifiedEntry      verify: pure, offline
//!    │                    ▲
//!    └─▶ audit            └── trust: policy, admission history, pinned head
//! ```
//!
//! In scope: judging what a log shows (`verify`, `audit`), asking it (`ask`), remembering whom to trust (`trust`), submitting signed records
//! without losing one's place (`submit`), the operators' changes (`operator`), keeping what opens sealed values (`openings`), and the `govlog`
//! command. Out of scope: what the bytes mean (`govlog-formats`), watching enforcement points (`govlog-agent`). Only public routes are read, and
//! nothing is kept that was not verified.

pub mod ask;
pub mod audit;
pub mod cli;
pub mod custody;
pub mod durable;
pub mod key_file;
pub mod openings;
pub mod operator;
pub mod people;
pub mod resolve;
pub mod source;
pub mod submit;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod trust;
pub mod verify;
