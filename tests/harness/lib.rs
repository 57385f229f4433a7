//! What the system tests need: the real programs as processes, a client that speaks raw HTTP, submitters that remember
//! what they were promised, and a reader that holds the log to it.
//!
//! ```text
//! Network ── Witness × n, Log (processes of the binary `node`)
//!    │
//!    ├── Submitter × n ──▶ Ledger: acknowledged index ─▶ leaf hash, head size ─▶ root hash
//!    ├── check::log: every bundle and tile, compared with the ledger
//!    └── Opa × n ──▶ Agent (a process) ──▶ the log ──▶ Recorded, compared with every event that was sent
//! ```
//!
//! Nothing here waits by sleeping for "long enough": each wait names a condition and a deadline, and fails when that passes.
//! What a log must not do is reported as a [`Broken`], so that a test can also demand that it is found.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is the report")]

pub mod agent;
pub mod check;
pub mod fake_witness;
pub mod faults;
pub mod golden;
pub mod http;
pub mod issuer;
pub mod ledger;
pub mod liar;
pub mod log;
pub mod network;
pub mod opa;
pub mod power;
pub mod process;
pub mod reader;
pub mod recorded;
pub mod served;
pub mod submitter;
pub mod upload;
pub mod wait;
pub mod witness;

pub use agent::Agent;
pub use check::Checked;
pub use faults::Faults;
pub use http::{Answer, Client};
pub use issuer::Issuer;
pub use ledger::{Broken, Ledger};
pub use log::Log;
pub use network::{Network, Plan};
pub use opa::Opa;
pub use process::{Ended, Process};
pub use recorded::Recorded;
pub use submitter::{Crowd, Submitter};
pub use upload::{Event, Upload};
